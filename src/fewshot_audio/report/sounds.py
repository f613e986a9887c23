"""The sound of the worst clips, small enough to stand in the page."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from fewshot_audio.features.resample import resample
from fewshot_audio.report.checkpoints import CLIP
from fewshot_audio.report.worst import place

LONGEST = 10  # seconds of a clip
MOST = 100  # clips of a results folder
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # of MP3, in Hz
OTHER = 32000  # Hz, of a clip with a rate that MP3 has not


@dataclass(frozen=True)
class Sound:
    """A clip that can be listened to.

    Attributes:
        name: Its path and part.
        text: Its label, and what it was taken for.
        mp3: The bytes of an MP3 file.
    """

    name: str
    text: str
    mp3: bytes


def sounds_of(worst: pd.DataFrame, root: Path) -> tuple[list[Sound], list[str]]:
    """Return the sound of clips, each once, and a sentence where some have none.

    Args:
        worst: The numbers of the table `worst_clips`, the first columns of which name a row.
        root: The folder in which the paths begin.
    """
    sounds, failures = [], []
    groups = list(worst.groupby(CLIP, sort=False))
    for (path, start, end, label), rows in groups[:MOST]:
        taken = rows[rows["taken_for"].notna()]
        by = taken.iloc[:, 1:3].astype(str).agg(" / ".join, axis=1)  # model and what is compared
        texts = [
            f"taken for {answer} ({', '.join(own)})"
            for answer, own in by.groupby(taken["taken_for"], sort=False)
        ]
        try:
            content = mp3(root / path, start, end)
        except (OSError, RuntimeError, ValueError) as error:
            failures.append(f"{path} ({error})")
            continue
        sounds.append(Sound(place(path, start, end), "; ".join([label, *texts]), content))
    notes = []
    if failures:
        notes.append(
            f"{len(failures)} of the worst clips have no sound: {failures[0]}, …; "
            "check report.audio_root"
        )
    if len(groups) > MOST:
        notes.append(f"sound of the first {MOST} of {len(groups)} worst clips")
    return sounds, notes


def mp3(file: Path, start: str, end: str) -> bytes:
    """Return a clip, or its first seconds, as MP3 with one channel.

    Raises:
        OSError, RuntimeError, ValueError: It cannot be read.
    """
    first, last = float(start or 0), float(end or "inf")
    with soundfile.SoundFile(file) as sound:
        rate = sound.samplerate
        sound.seek(round(first * rate))
        frames = round(min(last - first, LONGEST) * rate)
        samples = sound.read(frames, dtype="float32", always_2d=True).mean(axis=1)
    if not len(samples) or not np.isfinite(samples).all():
        raise ValueError(f"{file}: no samples, or not finite ones")
    if rate not in RATES:
        samples, rate = resample(samples, rate, OTHER), OTHER
    content = io.BytesIO()
    soundfile.write(content, np.clip(samples, -1, 1), rate, format="MP3")
    return content.getvalue()
