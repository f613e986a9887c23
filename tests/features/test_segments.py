"""Clips that are parts of long files."""

import numpy as np
import pytest
import soundfile

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.features import audio
from fewshot_audio.features.audio import decode
from fewshot_audio.features.cache import cache_key, file_digests, open_cache
from fewshot_audio.features.transforms import Waveform
from fewshot_audio.types import DataError
from marks import slow_but

RATE = 16000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (4 * RATE, 2))


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "long.wav", NOISE, RATE)
    return tmp_path


def dataset(folder, *parts):
    clips = [Clip("long.wav", (0,), 0, "long.wav", *part) for part in parts]
    return Dataset("x", folder, ("a",), (Fold(1, tuple(clips[1:]), tuple(clips[:1])),))


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "opus"])
@pytest.mark.parametrize(
    "bounds",
    slow_but(
        (1.25, 2.5),
        (3.5, 4.04),
        of=[(0.0, 1.0), (1.25, 2.5), (3.0, None), (0.0, None), (3.5, 4.04)],
    ),
)
def test_a_part_is_that_of_the_whole(tmp_path, kind, bounds):
    file = tmp_path / f"a.{kind}"
    soundfile.write(
        file, NOISE, RATE, **({"subtype": "OPUS", "format": "OGG"} if kind == "opus" else {})
    )
    whole, rate = soundfile.read(file, dtype="float32")
    start, end = bounds
    part, _ = decode(file, *bounds)
    last = None if end is None else round(end * rate)
    expected = whole[round(start * rate) : last].mean(1)
    np.testing.assert_allclose(part, expected, atol=2e-7)


def test_no_more_than_the_part_is_read(folder, monkeypatch):
    read = []

    class Counting(soundfile.SoundFile):
        def read(self, frames=-1, *arguments, **settings):
            read.append(frames)
            return super().read(frames, *arguments, **settings)

    monkeypatch.setattr(soundfile, "SoundFile", Counting)
    decode(folder / "long.wav", 1.0, 1.5)
    assert sum(read) == RATE // 2


def test_long_files_are_read_in_blocks(folder, monkeypatch):
    whole, _ = decode(folder / "long.wav")
    monkeypatch.setattr(audio, "BLOCK", 1000)
    np.testing.assert_array_equal(decode(folder / "long.wav")[0], whole)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ((3.0, 4.2), "ends 0.20 s before its segment does; mend start or end in its row"),
        ((5.0, None), "ends before its segment begins"),
        ((4.0, 4.01), "ends before its segment begins; mend start or end in its row"),
        ((1.0, 1.00001), "has no samples"),
    ],
)
def test_parts_beyond_the_file(folder, bounds, reason):
    with pytest.raises(DataError, match=reason):
        decode(folder / "long.wav", *bounds)


def test_cache_of_parts(folder, tmp_path):
    data = dataset(folder, (0.0, 1.0), (0.5, 2.0), (2.0, None), ())
    cache = open_cache(data, Waveform(RATE), tmp_path / "cache", 1)
    whole = cache["long.wav"]
    assert len(whole) == 4 * RATE
    np.testing.assert_array_equal(cache["long.wav#0.0-1.0"], whole[:RATE])
    np.testing.assert_array_equal(cache["long.wav#0.5-2.0"], whole[RATE // 2 : 2 * RATE])
    np.testing.assert_array_equal(cache["long.wav#2.0-"], whole[2 * RATE :])


def test_key_knows_the_part(folder, tmp_path):
    def key(*part):
        data = dataset(folder, (0.0, 1.0), part)
        return cache_key(data, Waveform(RATE), file_digests(data, tmp_path, 1))[0]

    assert len({key(1.0, 2.0), key(1.0, 2.5), key(1.5, 2.0), key(1.0)}) == 4
    assert key(1, 2) == key(1.0, 2.0)


def test_bad_parts_are_named_with_bad_files(folder, tmp_path):
    soundfile.write(folder / "slow.wav", NOISE, 1)
    data = dataset(folder, (0.0, 1.0), (9.0, 10.0))
    slow = Clip("slow.wav", (0,), 0, "s")
    data = Dataset("x", folder, ("a",), (Fold(1, data.clips, (slow,)),))
    with pytest.raises(DataError) as caught:
        open_cache(data, Waveform(RATE), tmp_path / "cache", 1)
    text = str(caught.value)
    assert "2 bad files" in text
    assert "long.wav#9.0-10.0: ends before its segment begins" in text
    assert "slow.wav: has a rate of 1 Hz; expected 1,000 to 1,000,000 Hz" in text
