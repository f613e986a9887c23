"""A dataset of somebody else's, from files to few-shot splits."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.splits import FewShotSplits, class_counts
from fewshot_audio.datasets.verify import find_verifier
from fewshot_audio.features.audio import load
from fewshot_audio.features.cache import open_cache
from fewshot_audio.features.torchaudio_transforms import Torchaudio
from fewshot_audio.types import Component, ConfigError, Mel, Sampling

MEL = Torchaudio().mel(Mel(16000, 512, 160, "constant", n_bands=40))


def pairs(name: str, root: Path) -> Dataset:
    """Return 24 clips of two out of four classes each, four clips per speaker."""
    clips = []
    for i in range(24):
        labels = tuple(sorted({i % 4, (i + 1 + i // 12) % 4}))
        clips.append(Clip(f"{i:02d}.flac", labels, 0, f"speaker{i // 4}"))
    fold = Fold(1, train=tuple(clips[:14]), valid=tuple(clips[14:16]), test=tuple(clips[16:]))
    return Dataset(name, root, ("a", "b", "c", "d"), (fold,), leak_unit="speaker", multi_label=True)


def silent_pairs(name: str, root: Path) -> Dataset:
    """Return the same, with clips of zeros allowed."""
    dataset = pairs(name, root)
    return Dataset(name, root, dataset.classes, dataset.folds, multi_label=True, allow_silent=True)


@pytest.fixture
def data(tmp_path):
    """The dataset as a configuration makes it, its files written."""
    component = Component("dataset", "pairs", f"{__name__}.pairs", {"root": str(tmp_path)})
    dataset = build(component, Dataset, name=component.name)
    random = np.random.default_rng(0)
    for clip in dataset.clips:
        soundfile.write(tmp_path / clip.path, 0.1 * random.standard_normal(4000), 8000)
    return dataset


def test_features_of_every_clip_are_cached(data, tmp_path):
    cache = open_cache(data, MEL, tmp_path / "cache", 1)
    for clip in data.clips:
        expected = MEL(load(data.root / clip.path, 16000, MEL.resample))
        np.testing.assert_array_equal(cache[clip.path], expected)
        assert expected.shape == (51, 40)


def test_silence_is_the_dataset_s_own_business(data, tmp_path):
    soundfile.write(tmp_path / data.clips[3].path, np.zeros(4000), 8000)
    with pytest.raises(Exception, match=r"accepted .* your own with allow_silent=True\n  03.flac"):
        open_cache(data, MEL, tmp_path / "cache", 1)
    cache = open_cache(silent_pairs("pairs", tmp_path), MEL, tmp_path / "cache", 1)
    assert not cache[data.clips[3].path].any()


def test_few_shot_splits_of_several_labels(data):
    fold = data.folds[0]
    splits = FewShotSplits(data, fold, 0, Sampling("clip"), None)
    splits.check(2, 5)
    for repeat in range(1, 6):
        split = splits.split(2, repeat)
        assert len(set(split.train)) == len(split.train) <= 8
        assert set(split.train) <= set(fold.train)
        assert min(class_counts(split, 4)["clips_per_class"]) >= 2
    with pytest.raises(ConfigError, match="n_per_class=9 is more than pairs, test fold 1, has"):
        splits.check(9, 1)
    assert splits.split(None, 1).valid == fold.valid


def test_leak_of_training_speakers_is_counted(data):
    """Speaker 3 trains with two of its clips and validates with the others."""
    fold = data.folds[0]
    shifted = Fold(1, fold.train, fold.valid + fold.test)
    splits = FewShotSplits(data, shifted, 0, Sampling("clip"), None)
    assert splits.notes == ("2 of 10 test clips share a speaker with training",)
    assert FewShotSplits(data, fold, 0, Sampling("clip"), None).notes == ()


def test_verification_is_not_required():
    with pytest.raises(ConfigError, match=r"pairs cannot be verified: .* has no function verify"):
        find_verifier(f"{__name__}.pairs")
