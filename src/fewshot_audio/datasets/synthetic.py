"""Synthetic recordings with real structure, written as files in both official layouts."""

import csv
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from filelock import FileLock
from scipy.signal import butter, sosfilt

from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets import urbansound8k as us8k
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.files import sha256
from fewshot_audio.seeding import seed_for
from fewshot_audio.types import DataError, Dataset

# no FLOAT: its header holds the time of writing
FORMATS = (
    (44100, 2, "PCM_24"),
    (44100, 1, "PCM_16"),
    (22050, 1, "PCM_16"),
    (48000, 2, "PCM_16"),
    (16000, 1, "PCM_32"),
)


def tone(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """A steady tone between 300 and 3000 Hz with three harmonics."""
    f = 300 * 10 ** random.uniform()
    return sum(np.sin(2 * np.pi * k * f * t + random.uniform(0, 6)) / k for k in (1, 2, 3))


def chirp(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Sweeps over two octaves, up or down, repeated every 0.3 to 0.8 s."""
    period, low = random.uniform(0.3, 0.8), 300 * 4 ** random.uniform()
    phase = (t / period) % 1 if random.uniform() < 0.5 else 1 - (t / period) % 1
    return np.sin(2 * np.pi * np.cumsum(low * 4**phase) * (t[1] - t[0]))


def noise_band(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Noise, an octave wide, centred between 500 and 4000 Hz."""
    centre, rate = 500 * 8 ** random.uniform(), 1 / (t[1] - t[0])
    band = butter(
        2, [centre / 1.4, min(centre * 1.4, 0.45 * rate)], "bandpass", fs=rate, output="sos"
    )
    return sosfilt(band, random.standard_normal(len(t)))


def clicks(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Short decaying clicks, 3 to 12 a second, at irregular times."""
    rate = 1 / (t[1] - t[0])
    impulses = (random.uniform(size=len(t)) < random.uniform(3, 12) / rate) * random.uniform(
        0.5, 1, len(t)
    )
    impulses[0] = 1
    decay = np.exp(-np.arange(int(0.01 * rate)) / (0.002 * rate)) * random.standard_normal(
        int(0.01 * rate)
    )
    return np.convolve(impulses, decay)[: len(t)]


def warble(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """A tone between 300 and 3000 Hz, its frequency swinging by a fifth 4 to 9 times a second."""
    f, swing = 300 * 10 ** random.uniform(), random.uniform(4, 9)
    return np.sin(
        2 * np.pi * np.cumsum(f * (1 + 0.2 * np.sin(2 * np.pi * swing * t))) * (t[1] - t[0])
    )


CLASSES = {
    "chirp": chirp,
    "clicks": clicks,
    "noise_band": noise_band,
    "tone": tone,
    "warble": warble,
}


def synthetic(
    name: str,
    root: Path,
    layout: Literal["us8k", "tut_asc"],
    groups: int,
    clips_per_class: int,
    validation: Literal["next", "none"],
    tolerate: tuple[Tolerable, ...],
) -> Dataset:
    """A dataset of five classes below `root` in one of the two layouts, written there first where nothing is.

    `groups` folds, or locations of both parts, of `clips_per_class` clips each; every file is a function of its name.
    """
    write_once(
        root / layout, partial(_WRITERS[layout], groups=groups, clips_per_class=clips_per_class)
    )
    if layout == "us8k":
        rows = us8k.read_rows(root / layout / us8k.CSV)
        return us8k.from_rows(name, root / layout, rows, None, validation, tolerate)
    rows = {
        part: tut_asc.read_rows(root / layout / tut_asc.folder(part) / "meta.txt")
        for part in tut_asc.PARTS
    }
    return tut_asc.from_rows(name, root / layout, rows, tolerate)


def write_once(root: Path, write) -> None:
    """Call `write(folder)` beside the root and rename; nothing where the same was written before."""
    root.parent.mkdir(parents=True, exist_ok=True)
    receipt, wanted = root / "written_by.txt", repr(sorted(write.keywords.items()))
    with FileLock(root.parent / f".{root.name}.lock"):
        if root.exists():
            if not receipt.is_file() or receipt.read_text() != wanted:
                raise DataError(
                    f"{root} holds other data than asked for ({wanted}); remove it or give another dataset.root"
                )
            return
        draft = root.with_name(f".{root.name}.draft")
        draft.mkdir(exist_ok=True)
        write(draft)
        write_manifest(draft)
        (draft / receipt.name).write_text(wanted)
        draft.rename(root)


def write_manifest(root: Path) -> None:
    """Write manifest.tsv (path, bytes, sha256) for every WAV file below the root."""
    rows = [
        (file.relative_to(root).as_posix(), str(file.stat().st_size), sha256(file))
        for file in sorted(root.rglob("*.wav"))
    ]
    (root / "manifest.tsv").write_text(
        "".join("\t".join(row) + "\n" for row in [("path", "bytes", "sha256"), *rows])
    )


def write_us8k(root: Path, groups: int, clips_per_class: int) -> None:
    """Folds 1 ... groups in the layout of UrbanSound8K; every second clip shares its recording with the one before."""
    rows = []
    for fold in range(1, groups + 1):
        for label, name in enumerate(CLASSES):
            for i in range(clips_per_class):
                recording = 100_000 + fold * 1000 + label * 100 + i // 2
                file = f"{recording}-{label}-0-{i}.wav"
                _write_clip(root / "audio" / f"fold{fold}" / file, name)
                rows.append((file, recording, 0, 4, 1, fold, label, name))
    path = root / us8k.CSV
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(
            [
                ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"),
                *rows,
            ]
        )


def write_tut_asc(root: Path, groups: int, clips_per_class: int) -> None:
    """Both parts in the layout of TUT Acoustic Scenes 2017, with `groups` locations per scene."""
    for part in tut_asc.PARTS:
        rows = []
        for label, name in enumerate(CLASSES):
            for i in range(groups * clips_per_class):
                location = f"{part[0]}{label}{i // clips_per_class:02d}"
                file = f"audio/{location}_{i}.wav"
                _write_clip(root / tut_asc.folder(part) / file, name)
                rows.append(f"{file}\t{name}\t{location}\n")
        (root / tut_asc.folder(part) / "meta.txt").write_text("".join(rows), encoding="utf-8")


def write_tut_asc_names(root: Path, seconds: float) -> None:
    """All 6,300 clips of TUT Acoustic Scenes 2017 by their published names, each a short noise: a dataset of its size."""
    random = np.random.default_rng(0)
    for part in tut_asc.PARTS:
        rows = tut_asc.official_rows(part)
        (root / tut_asc.folder(part) / "audio").mkdir(parents=True, exist_ok=True)
        (root / tut_asc.folder(part) / "meta.txt").write_text(
            "".join("\t".join(row) + "\n" for row in rows), encoding="utf-8"
        )
        for path, *_ in rows:
            noise = 0.1 * random.standard_normal((int(44100 * seconds), 2)).clip(-9, 9)
            soundfile.write(root / tut_asc.folder(part) / path, noise, 44100, subtype="PCM_24")


_WRITERS = {"us8k": write_us8k, "tut_asc": write_tut_asc}


def _write_clip(path: Path, name: str) -> None:
    """One clip of a class: random length (0.4 to 4 s), level (-30 to 0 dB), background noise and file format."""
    random = np.random.default_rng(seed_for("synthetic", path.name, path.parent.name))
    rate, channels, subtype = FORMATS[random.integers(len(FORMATS))]
    t = np.arange(int(random.uniform(0.4, 4.0) * rate)) / rate
    signal = CLASSES[name](random, t)
    signal = signal / np.abs(signal).max() + 10 ** random.uniform(
        -2.5, -1
    ) * random.standard_normal(len(t))
    signal = 0.5 * 10 ** random.uniform(-1.5, 0) * signal / np.abs(signal).max()
    pan = random.uniform(0.5, 1, channels)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, signal[:, None] * pan, rate, subtype=subtype)
