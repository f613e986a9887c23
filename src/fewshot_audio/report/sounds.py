"""The sound of the worst clips, small enough to stand in the page."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from fewshot_audio.datasets.listing import shorten
from fewshot_audio.features.audio import decode
from fewshot_audio.features.resample import resample
from fewshot_audio.report.checkpoints import CLIP
from fewshot_audio.report.worst import place
from fewshot_audio.types import DataError

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
        except DataError as error:
            failures.append(f"{path}: {error}")
            continue
        sounds.append(Sound(place(path, start, end), "; ".join([label, *texts]), content))
    notes = []
    if failures:
        missing = all(each.endswith(": missing") for each in failures)
        hint = "; check report.audio_root" if missing else ""
        notes.append(f"{len(failures)} of the worst clips have no sound{hint}\n{shorten(failures)}")
    if len(groups) > MOST:
        notes.append(f"sound of the first {MOST} of {len(groups)} worst clips")
    return sounds, notes


def mp3(file: Path, start: str, end: str) -> bytes:
    """Return a clip, or its first seconds, as MP3 with one channel.

    Raises:
        DataError: It cannot be decoded.
    """
    first, last = float(start or 0), float(end or "inf")
    samples, rate = decode(file, first)
    samples = samples[: round(min(last - first, LONGEST) * rate)]
    if rate not in RATES:
        samples, rate = resample(samples, rate, OTHER), OTHER
    content = io.BytesIO()
    soundfile.write(content, np.clip(samples, -1, 1), rate, format="MP3")
    return content.getvalue()
