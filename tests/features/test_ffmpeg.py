"""Audio that the program ffmpeg decodes."""

import shutil
import subprocess

import numpy as np
import pytest
import scipy.signal
import soundfile

from fewshot_audio.features import ffmpeg
from fewshot_audio.features.audio import decode
from fewshot_audio.types import DataError
from marks import slow_but

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
RATE = 44100
TIME = np.arange(5 * RATE) / RATE
SOUND = 0.4 * np.sin(2 * np.pi * (200 * TIME + 60 * TIME**2)) * (1 + np.sin(20 * TIME)) / 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sound in several formats, its right channel half as loud."""
    folder = tmp_path_factory.mktemp("à côté")
    soundfile.write(folder / "a.wav", np.stack([SOUND, SOUND / 2], 1), RATE)
    for kind in ("m4a", "aac", "wma", "webm"):
        encoded(folder / "a.wav", folder / f"-a b.{kind}")
    return folder


def encoded(source, target):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", f"file:{source}", f"file:{target}"]
    subprocess.run(command, check=True)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["m4a", "aac", "wma", "webm"])
def test_decoded_as_it_was_before_it_was_encoded(folder, kind):
    samples, rate = decode(folder / f"-a b.{kind}")
    assert samples.dtype == np.float32
    assert rate == (48000 if kind == "webm" else RATE)
    assert abs(len(samples) / rate - 5) < 0.1
    heard = np.interp(TIME, np.arange(len(samples)) / rate, samples)
    best = scipy.signal.correlate(heard, 0.75 * SOUND, method="fft").max()
    assert best > 0.99 * np.linalg.norm(heard) * np.linalg.norm(0.75 * SOUND)
    assert abs(np.linalg.norm(heard) / np.linalg.norm(0.75 * SOUND) - 1) < 0.05


@needs_ffmpeg
@pytest.mark.parametrize(
    "bounds",
    slow_but((0.5, 2.0), (3.0, None), of=[(0.0, 1.0), (0.5, 2.0), (1.7, 4.0), (3.0, None)]),
)
def test_a_part_of_m4a_is_that_of_the_whole(folder, bounds):
    whole, _ = decode(folder / "-a b.m4a")
    part, _ = decode(folder / "-a b.m4a", *bounds)
    start, end = bounds
    expected = whole[round(start * RATE) : None if end is None else round(end * RATE)]
    np.testing.assert_allclose(part, expected, atol=1e-3)


@needs_ffmpeg
def test_bad_files_say_what_is_wrong(folder, tmp_path):
    content = (folder / "-a b.m4a").read_bytes()
    (tmp_path / "half.m4a").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.m4a").touch()
    with pytest.raises(DataError, match=r"cannot be decoded by ffmpeg \(.*half.m4a: Invalid data"):
        decode(tmp_path / "half.m4a")
    with pytest.raises(DataError, match="is empty"):
        decode(tmp_path / "empty.m4a")
    with pytest.raises(DataError, match="missing"):
        decode(tmp_path / "no.m4a")
    with pytest.raises(DataError, match="ends before its segment begins"):
        decode(folder / "-a b.m4a", 9.0, 10.0)


@needs_ffmpeg
@pytest.mark.parametrize("kind", slow_but("m4a", "webm", of=["m4a", "aac", "wma", "webm", "mka"]))
def test_truncated_files(folder, tmp_path, kind):
    encoded(folder / "a.wav", tmp_path / f"a.{kind}")
    content = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(DataError, match="truncated|cannot be decoded by ffmpeg"):
        decode(tmp_path / f"a.{kind}")


@needs_ffmpeg
def test_webm_that_a_stream_wrote(folder, tmp_path):
    with (tmp_path / "a.webm").open("wb") as file:
        command = ["ffmpeg", "-v", "error", "-i", f"file:{folder / 'a.wav'}", "-f", "webm", "-"]
        subprocess.run(command, check=True, stdout=file)
    assert len(decode(tmp_path / "a.webm")[0]) == len(decode(folder / "-a b.webm")[0])


def test_without_ffmpeg(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"x")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda _: None)
    with pytest.raises(DataError, match=r"is a .m4a file, .*ffmpeg .*not found: install it"):
        decode(tmp_path / "a.m4a")
