"""Feature caches: what they hold, when they are built anew, what a killed or damaged one costs."""

import hashlib
import itertools
import json
import logging
import multiprocessing
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.features import build
from fewshot_audio.features.audio import decode, load
from fewshot_audio.features.cache import VERSION, cache_key, file_digests, open_cache
from fewshot_audio.features.torchaudio_transforms import TorchaudioMel, TorchaudioWaveform
from fewshot_audio.features.transforms import MelTransform, Waveform
from fewshot_audio.types import DataError
from marks import slow_but

MEL = MelTransform(16000, 1024, 512, "reflect")


@pytest.fixture
def data(synthetic_root, tmp_path):
    """A copy of the small dataset that a test may change."""
    shutil.copytree(synthetic_root, tmp_path / "data")
    return synthetic("synthetic", tmp_path / "data", groups=3, clips_per_class=2)


def folder_of(cache):
    return next(path for path in cache.iterdir() if path.is_dir())


def computed(data, clip, transform=MEL):
    path = data.root / clip.path
    return transform(load(path, transform.sample_rate, transform.resample))


@pytest.mark.parametrize(
    ("transform", "workers"), [(MEL, 1), (MEL, 2), (TorchaudioWaveform(16000), 2)]
)
def test_every_clip_as_computed_one_by_one(data, tmp_path, transform, workers):
    cache = open_cache(data, transform, tmp_path / "cache", workers)
    for clip in data.clips:
        np.testing.assert_array_equal(cache[clip.path], computed(data, clip, transform))
    assert isinstance(cache.features, np.memmap)


def test_key_depends_on_transform_and_files(data, tmp_path):
    def key(transform=MEL):
        return cache_key(data, transform, file_digests(data, tmp_path / "cache", 1))[0]

    keys = [
        key(),
        key(replace(MEL, pad_mode="constant")),
        key(replace(MEL, hop=1024)),
        key(replace(MEL, n_bands=64)),
        key(TorchaudioMel(16000, 1024, 512, "reflect")),
        key(Waveform(16000)),
        key(TorchaudioWaveform(16000)),
    ]
    path = data.root / data.clips[0].path
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples * 0.5, rate)
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_key_of_earlier_caches_stays(data):
    """Neither a new setting at its default nor a module's name is in it."""
    digests = {clip.path: clip.path for clip in data.clips}
    key, settings = cache_key(data, MEL, digests)
    old = {"name": "MelTransform", "sample_rate": 16000, "n_fft": 1024, "hop": 512}
    assert settings["transform"] == {**old, "pad_mode": "reflect"}
    clips = [[clip.path, clip.path] for clip in data.clips]
    text = json.dumps({"clips": clips, "transform": settings["transform"]}, sort_keys=True)
    assert key == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_second_opening_computes_nothing(data, tmp_path, monkeypatch):
    first = open_cache(data, MEL, tmp_path / "cache", 1)
    monkeypatch.setattr(MelTransform, "__call__", None)
    again = open_cache(data, MEL, tmp_path / "cache", 1)
    assert again.key == first.key
    np.testing.assert_array_equal(again.features, first.features)


def test_interrupted_build_goes_on_where_it_stopped(data, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "CLIPS_PER_PART", 4)
    decoded = []

    def stop_at(count):
        def counting(*part):
            decoded.append(part)
            if len(decoded) == count:
                raise KeyboardInterrupt
            return decode(*part)

        monkeypatch.setattr(build, "decode", counting)

    stop_at(11)
    with pytest.raises(KeyboardInterrupt):
        open_cache(data, MEL, tmp_path / "cache", 1)
    folder = folder_of(tmp_path / "cache")
    assert not (folder / "index.json").exists()
    (folder / ".features.npy.of_a_killed_process").touch()
    part = folder / "part-00001.npz"
    part.write_bytes(part.read_bytes()[:-30])
    decoded.clear()
    stop_at(0)
    cache = open_cache(data, MEL, tmp_path / "cache", 1)
    assert len(decoded) == len(data.clips) - 4  # of two parts of four one was damaged
    np.testing.assert_array_equal(cache[data.clips[-1].path], computed(data, data.clips[-1]))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["features.npy", "index.json", "lock"]


def test_large_files_are_not_decoded_together(data, tmp_path, monkeypatch):
    sizes = {clip: (data.root / clip.path).stat().st_size for clip in data.clips}
    most = 2 * max(sizes.values())
    monkeypatch.setattr(build, "BYTES_PER_PART", most)
    parts = list(build._divided(data))
    assert [clip for part in parts for clip in part] == list(data.clips)
    assert all(sum(map(sizes.get, part)) <= most for part in parts)
    for part, after in itertools.pairwise(parts):  # none is smaller than it need be
        assert sum(map(sizes.get, [*part, after[0]])) > most
    seconds = 0.1  # parts of large files are small
    pieces = [replace(clip, end=seconds) for clip in data.clips]
    short = replace(data, folds=(Fold(1, tuple(pieces[:-1]), tuple(pieces[-1:])),))
    monkeypatch.setattr(build, "BYTES_PER_PART", 5 * int(seconds * build.BYTES_PER_SECOND))
    assert {len(part) for part in list(build._divided(short))[:-1]} >= {5}


def test_build_killed_at_any_moment_leaves_nothing_half_read(synthetic_root, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "CLIPS_PER_PART", 2)
    data = synthetic("synthetic", synthetic_root, groups=3, clips_per_class=2)
    context = multiprocessing.get_context("fork")
    for delay in (0.05, 0.2):
        process = context.Process(target=open_cache, args=(data, MEL, tmp_path, 1))
        process.start()
        time.sleep(delay)
        process.kill()
        process.join()
    cache = open_cache(data, MEL, tmp_path, 1)
    for clip in data.clips:
        np.testing.assert_array_equal(cache[clip.path], computed(data, clip))


@pytest.mark.parametrize(
    "damage", slow_but("flip", "index", of=["flip", "shorten", "remove", "index"])
)
def test_damaged_cache_is_built_anew(data, tmp_path, damage, caplog):
    first = np.array(open_cache(data, MEL, tmp_path / "cache", 1).features)
    folder = folder_of(tmp_path / "cache")
    index, features = folder / "index.json", folder / "features.npy"
    content = features.read_bytes()
    features.unlink()
    if damage == "flip":
        features.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if damage == "shorten":
        features.write_bytes(content[:-100])
    if damage == "index":
        features.write_bytes(content)
        index.write_text(index.read_text()[:100])
    again = open_cache(data, MEL, tmp_path / "cache", 1)
    np.testing.assert_array_equal(again.features, first)
    assert "does not match its hash; it is built anew" in caplog.text


def test_all_bad_files_are_named_at_once(data, tmp_path):
    paths = [data.root / clip.path for clip in data.clips]
    paths[0].write_bytes(b"x")
    paths[5].write_bytes(paths[5].read_bytes()[:-200])
    samples, rate = soundfile.read(paths[9])
    soundfile.write(paths[9], np.zeros_like(samples), rate)
    soundfile.write(paths[12], np.full_like(samples, np.nan), rate, subtype="FLOAT")
    with pytest.raises(DataError) as caught:
        open_cache(data, MEL, tmp_path / "cache", 1)
    text = str(caught.value)
    assert "4 bad files" in text
    for number, reason in (
        (0, "cannot be read"),
        (5, "is truncated"),
        (9, "is silent"),
        (12, "NaN"),
    ):
        assert f"{data.clips[number].path}: " in text
        assert reason in text


def test_many_bad_files_are_counted(data, tmp_path):
    for clip in data.clips:
        (data.root / clip.path).write_bytes(b"")
    with pytest.raises(
        DataError, match=r"30 bad files(?s:.*)\.\.\. and 20 more; `scripts/verify.py .* --full"
    ):
        open_cache(data, MEL, tmp_path / "cache", 1)


def test_build_waits_for_another_and_says_so(data, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    key, _ = cache_key(data, MEL, file_digests(data, tmp_path, 1))
    folder = tmp_path / f"synthetic-{key}-v{VERSION}"
    folder.mkdir()
    lock = FileLock(folder / "lock")
    lock.acquire()
    info = logging.Logger.info
    monkeypatch.setattr(logging.Logger, "info", lambda *args: (lock.release(), info(*args)))
    open_cache(data, MEL, tmp_path, 1)
    assert f"waiting for another process that builds {folder.name}" in caplog.text


def test_silent_clips_are_refused_unless_allowed(data, tmp_path):
    """Also where the cache was finished by somebody who allowed them."""
    path = data.root / data.clips[3].path
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.zeros_like(samples), rate)
    cache = open_cache(replace(data, allow_silent=True), MEL, tmp_path / "cache", 1)
    assert not cache[data.clips[3].path].any()
    with pytest.raises(DataError, match=r"1 bad file;.*dataset.tolerate=\[silent\].*\n.*is silent"):
        open_cache(data, MEL, tmp_path / "cache", 1)


def test_full_disk_leaves_no_half_file(data, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(OSError, match="No space left"):
        open_cache(data, MEL, tmp_path / "cache", 1)
    monkeypatch.undo()
    names = [path.name for path in folder_of(tmp_path / "cache").iterdir()]
    assert not any("features" in name for name in names)
    assert len(open_cache(data, MEL, tmp_path / "cache", 1).spans) == len(data.clips)


@pytest.mark.parametrize("other", [None, "PCM_24", "stereo", "resampled"])
def test_16_bit_samples_are_stored_as_such_without_loss(tmp_path, other):
    random, clips = np.random.default_rng(0), []
    for number in range(70):  # three parts
        samples = random.integers(-(2**15), 2**15, 3000).astype(np.int16)
        rate, subtype = 16000, "PCM_16"
        if number == 40 and other == "PCM_24":
            samples, subtype = samples.astype(np.float32) / 2**15 + 2.0**-20, other
        if number == 40 and other == "stereo":
            samples = np.stack([samples, samples[::-1]], 1)
        if number == 40 and other == "resampled":
            rate = 44100
        soundfile.write(tmp_path / f"{number:02}.wav", samples, rate, subtype=subtype)
        clips.append(Clip(f"{number:02}.wav", (0,), 1, str(number)))
    dataset = Dataset("pcm", tmp_path, ("one",), (Fold(1, tuple(clips), tuple(clips)),))
    transform = TorchaudioWaveform(16000)
    cache = open_cache(dataset, transform, tmp_path / "cache", 1)
    assert cache.features.dtype == (np.int16 if other is None else np.float32)
    for clip in clips:
        np.testing.assert_array_equal(cache[clip.path], computed(dataset, clip, transform))
        part = computed(dataset, clip, transform)[50:120]
        np.testing.assert_array_equal(cache.rows(clip.path, 50, 120), part)
    assert len(cache.rows("03.wav", 2950, 3100)) == 50  # not of the next clip
