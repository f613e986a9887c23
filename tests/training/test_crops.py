"""Crops and windows of clips, against slices of their samples."""

from collections import Counter

import numpy as np
import pytest
import torch

from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.training.crops import RandomCrops, Waveforms, loader, window_starts
from fewshot_audio.training.methods.crops import MultiLabelCrops

LENGTHS = {"short": 30, "exact": 50, "long": 400, "longer": 1000}
SIZE = 50


@pytest.fixture
def waveforms():
    """Clips of 16-bit samples that are numbered."""
    spans, first = {}, 0
    for name, length in LENGTHS.items():
        spans[name] = (first, first + length)
        first += length
    samples = np.arange(first, dtype=np.int16)[:, None]
    targets = torch.eye(len(LENGTHS))
    return Waveforms(FeatureCache("numbers", samples, spans), list(LENGTHS), targets, SIZE)


def places(waveforms, epoch, per_clip=1, names=("run",), **rank):
    lengths = waveforms.lengths()
    crops = RandomCrops(lengths, SIZE, 3, per_clip, names, lambda: epoch, **rank)
    batches = list(crops)
    assert len(batches) == len(crops)
    return [place for batch in batches for place in batch]


def test_crops_are_samples_and_zeros_behind_the_end(waveforms):
    crops = waveforms.crops([(0, 0), (2, 7), (3, 950)])
    assert crops.dtype == torch.float32
    expected = np.zeros((3, SIZE))
    expected[0, :30] = np.arange(30)
    expected[1] = np.arange(87, 137)
    expected[2] = np.arange(480 + 950, 1480)
    np.testing.assert_array_equal(crops.numpy(), expected / 2**15)


def test_epochs_hold_each_clip_so_often_in_other_crops(waveforms):
    found = places(waveforms, 0, per_clip=5)
    assert Counter(number for number, _ in found) == dict.fromkeys(range(4), 5)
    assert found == places(waveforms, 0, per_clip=5)
    assert found != places(waveforms, 1, per_clip=5)
    assert found != places(waveforms, 0, per_clip=5, names=("other",))


def test_each_start_that_leaves_a_crop_is_as_likely(waveforms):
    starts = {number: Counter() for number in range(4)}
    for number, start in places(waveforms, 0, per_clip=20_000):
        starts[number][start] += 1
    assert set(starts[0]) == set(starts[1]) == {0}
    assert set(starts[2]) == set(range(351))
    counts = np.array(list(starts[2].values()))
    chi_square = ((counts - 20_000 / 351) ** 2).sum() / (20_000 / 351)
    assert 260 < chi_square < 450  # of 350 degrees of freedom: five standard deviations


def test_a_balanced_epoch_has_as_many_crops_of_each_class(waveforms):
    """Three clips of class 0, one of class 1, also with 0, none of class 2, one without labels."""
    targets = torch.tensor([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    method = MultiLabelCrops(crop=1, max_epochs=1, batch_size=3, balanced=True)
    drawn = places(waveforms, 0, per_clip=15, groups=method.groups(targets))
    assert Counter(number for number, _ in drawn) == {0: 10, 1: 10, 2: 10 + 30}


def test_devices_share_an_epoch(waveforms):
    own = [places(waveforms, 2, per_clip=2, rank=(rank, 3)) for rank in range(3)]
    assert {len(each) for each in own} == {3}
    alone = Counter(places(waveforms, 2, per_clip=2))
    together = Counter(place for each in own for place in each)
    assert together.total() == 9
    assert alone <= together


def test_devices_have_as_many_crops_where_clips_are_fewer(waveforms):
    own = [places(waveforms, 2, rank=(rank, 9)) for rank in range(9)]
    assert {len(each) for each in own} == {1}
    alone = places(waveforms, 2)
    assert [place for each in own for place in each] == [*alone, *alone, alone[0]]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # with one core
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_loader_gives_crops_with_their_targets(waveforms, workers):
    drawn = RandomCrops(waveforms.lengths(), SIZE, 3, 2, ("run",), lambda: 4)
    batches = list(loader(waveforms, drawn, workers, pin=False))
    assert [len(crops) for crops, _ in batches] == [3, 3, 2]
    for (crops, targets), expected in zip(batches, drawn, strict=True):
        assert torch.equal(crops, waveforms.crops(expected))
        assert targets.argmax(1).tolist() == [number for number, _ in expected]


@pytest.mark.parametrize(("size", "hop"), [(50, 50), (50, 20), (50, 70), (1, 1)])
def test_windows_cover_what_their_hop_lets_them(size, hop):
    for length in (1, 49, 50, 51, 99, 100, 101, 350):
        starts = window_starts(length, size, hop)
        assert starts == sorted(set(starts))
        assert starts[0] == 0
        assert starts[-1] == max(0, length - size)
        assert set(starts[:-1]) == set(range(0, max(0, length - size), hop))
