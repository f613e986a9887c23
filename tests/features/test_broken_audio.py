"""Truncated files, those that a program wrote into a pipe, and levels that no recording has."""

import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.features.audio import decode
from fewshot_audio.features.cache import open_cache
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.types import DataError

RATE = 16000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 2))
KINDS = {
    "WAV": "PCM_16",
    "WAVEX": "FLOAT",
    "RF64": "PCM_24",
    "W64": "PCM_16",
    "AIFF": "PCM_16",
    "AU": "PCM_16",
    "CAF": "PCM_16",
    "NIST": "PCM_16",
    "FLAC": "PCM_16",
    "OGG": "VORBIS",
    "MP3": "MPEG_LAYER_III",
}
STREAMS = [  # the size that a program writes which cannot go back: sox, arecord, ffmpeg, any killed
    *(
        ("WAV", b"data", 4, "<I", size)
        for size in (0, 0x7FFFF000, 0x80000000, 0x7FFFFFFF, 2**32 - 1)
    ),
    *(("AIFF", b"SSND", 4, ">I", size) for size in (0, 0x7F000008, 2**32 - 1)),
    *(("AU", b".snd", 8, ">I", size) for size in (0, 0x7FFFFFFF, 2**32 - 1)),
    ("CAF", b"data", 4, ">q", -1),
    ("RF64", b"ds64", 16, "<q", 0),
    ("W64", b"data\xf3", 16, "<q", 2**63 - 1),
    ("FLAC", b"fLaC", 22, ">I", 0),
]


def written(folder, kind, subtype=None, samples=NOISE):
    file = folder / f"a.{kind.lower()}"
    soundfile.write(file, samples, RATE, format=kind, subtype=subtype or KINDS.get(kind))
    return file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.98, 0.9999])
def test_truncated_files(tmp_path, kind, share):
    file = written(tmp_path, kind)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="truncated|lost sync"):
        decode(file)


@pytest.mark.parametrize(("kind", "sign", "behind", "code", "size"), STREAMS)
def test_files_that_a_stream_wrote(tmp_path, kind, sign, behind, code, size):
    file = written(tmp_path, kind)
    expected, _ = decode(file)
    content = bytearray(file.read_bytes())
    struct.pack_into(code, content, content.index(sign) + behind, size)
    file.write_bytes(content)
    np.testing.assert_array_equal(decode(file)[0], expected)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_32"])
def test_sound_that_cannot_be_sought(tmp_path, subtype):
    file = written(tmp_path, "WAV", subtype, NOISE[:, :1])
    whole, rate = decode(file)
    assert (len(whole), rate) == (pytest.approx(RATE, abs=200), RATE)
    part, _ = decode(file, 0.25, 0.5)
    np.testing.assert_array_equal(part, whole[RATE // 4 : RATE // 2])


@pytest.mark.parametrize("peak", [1e30, 40_000, 1e-20])
def test_levels_that_no_recording_has(tmp_path, peak):
    file = written(tmp_path, "WAV", "DOUBLE", peak * NOISE / np.abs(NOISE[:, 0]).max())
    with pytest.raises(DataError, match=r"has a peak of .*; expected 0, or 2.33e-10 to 32,768"):
        decode(file)


def test_levels_of_integers_that_were_written_as_floats(tmp_path):
    samples, _ = decode(written(tmp_path, "WAV", "FLOAT", 2**16 * NOISE))
    spectrogram = MelTransform(RATE, 1024, 512, "reflect")(samples)
    assert np.isfinite(spectrogram.astype(np.float32) ** 2).all()


@pytest.mark.parametrize(("kind", "subtype"), [("IRCAM", "PCM_16"), ("XI", "DPCM_16")])
def test_containers_that_do_not_say_how_long_or_fast_they_are(tmp_path, kind, subtype):
    with pytest.raises(DataError, match=f"is of the format {kind}; expected WAV, .*: convert it"):
        decode(written(tmp_path, kind, subtype, NOISE[:, 0]))


@pytest.mark.parametrize(
    ("place", "code", "value", "reason"),
    [
        (24, "<I", 44100, "2 channels of 16 bits at 44100 Hz, but .* 64000 bytes a second"),
        (22, "<H", 1, "1 channels of 16 bits at 16000 Hz, but frames of 4 bytes"),
        (40, "<I", 32000, "holds 32000 bytes behind the samples"),
    ],
)
def test_headers_that_contradict_themselves(tmp_path, place, code, value, reason):
    file = written(tmp_path, "WAV")
    content = bytearray(file.read_bytes())
    struct.pack_into(code, content, place, value)
    file.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        decode(file)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
@pytest.mark.parametrize("options", [("-q:a", "4"), ("-b:a", "128k")])
def test_mp3_without_a_count_of_its_frames(tmp_path, options):
    """As ffmpeg decodes it; libsndfile guesses its length by the first frame."""
    file, plain = tmp_path / "a.mp3", tmp_path / "b.wav"
    source = ["-i", str(written(tmp_path, "WAV", None, np.tile(NOISE, (5, 1))))]
    ffmpeg = ["ffmpeg", "-v", "error", "-nostdin"]
    subprocess.run([*ffmpeg, *source, *options, "-write_xing", "0", str(file)], check=True)
    subprocess.run([*ffmpeg, "-i", str(file), str(plain)], check=True)
    assert len(decode(file)[0]) == pytest.approx(len(decode(plain)[0]), abs=2304)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="is truncated .its last frame is not whole"):
        decode(file)


def test_all_of_them_in_one_message_before_training(tmp_path):
    broken = {
        "loud.wav": ("WAV", "FLOAT", 1e30 * NOISE),
        "nan.wav": ("WAV", "FLOAT", np.nan * NOISE),
        "infinite.wav": ("WAV", "FLOAT", NOISE * [np.inf, -np.inf]),
        "short.flac": ("FLAC", None, NOISE[:3]),
        "half.aiff": ("AIFF", None, NOISE),
        "old.voc": ("VOC", "PCM_16", NOISE),
    }
    for name, what in broken.items():
        written(tmp_path, *what).rename(tmp_path / name)
    content = (tmp_path / "half.aiff").read_bytes()
    (tmp_path / "half.aiff").write_bytes(content[: len(content) // 2])
    clips = tuple(Clip(name, (0,), 0, name) for name in broken)
    data = Dataset("x", tmp_path, ("a",), (Fold(1, clips, ()),))
    with pytest.raises(DataError) as caught:
        open_cache(data, MelTransform(RATE, 1024, 512, "reflect"), tmp_path / "cache", 1)
    lines = str(caught.value).splitlines()
    assert "6 bad files; mend or replace them" in lines[0]
    said = [line.split(":", 1) for line in lines[1:]]
    assert [name.strip() for name, _ in said] == sorted(broken)
    reasons = ("truncated", "infinite", "has a peak of", "NaN", "format VOC", "0.000 s")
    for (name, text), reason in zip(said, reasons, strict=True):
        assert reason in text, name
