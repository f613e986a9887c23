"""Checkpoint folders of runs: how each test clip was answered, and its embedding."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.types import StoreError

CLIP = ["path", "start", "end", "label"]  # what names a test clip; start and end in seconds
ANSWER = ["prediction", "correct"]
BETWEEN = ";"  # several labels in a cell


class _About(msgspec.Struct):
    key: str


def checkpoints_in(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the checkpoint folders of results folders by the keys of their runs.

    Raises:
        StoreError: A checkpoint.json cannot be read.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("checkpoints/[!.]*/checkpoint.json")):
            try:
                about = msgspec.json.decode(file.read_bytes(), type=_About)
            except (OSError, msgspec.MsgspecError) as error:
                raise _broken(file, str(error)) from error
            found.setdefault(about.key, file.parent)
    return found


def answered_clips(folder: Path) -> pd.DataFrame:
    """Return a run's test clips, a row each in the order of their embeddings.

    Returns:
        The columns `CLIP`, prediction, is_wrong, probability. start and end are "" of whole clips.
        The probability is that of the label, of several labels the smallest.

    Raises:
        StoreError: The file test.csv cannot be read, or lacks a column.
    """
    file = folder / "test.csv"
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise _broken(file, str(error)) from error
    if absent := [name for name in ("path", "label", *ANSWER) if name not in table]:
        raise _broken(file, f"no column {', '.join(absent)}")
    first = table.columns.get_loc("correct") + 1
    shares = table.iloc[:, first:].apply(pd.to_numeric, errors="coerce")
    places = {name: place for place, name in enumerate(shares)}
    probabilities = []
    for label, row in zip(table["label"], shares.to_numpy(float), strict=True):
        labels = [label] if label in places else label.split(BETWEEN)
        own = [row[places[each]] for each in labels if each in places]
        probabilities.append(min(own, default=np.nan))
    clips = table.reindex(columns=CLIP, fill_value="").assign(prediction=table["prediction"])
    is_wrong = ~table["correct"].str.lower().isin(["true", "1"])
    return clips.assign(is_wrong=is_wrong, probability=probabilities)


def embeddings(folder: Path, clips: int) -> np.ndarray:
    """Return a run's embeddings (clips, dims).

    Raises:
        StoreError: They cannot be read, or are not as many as the clips.
    """
    file = folder / "embeddings.npy"
    try:
        values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(file, str(error)) from error
    if values.ndim != 2 or len(values) != clips:
        raise _broken(file, f"expected ({clips}, dims) numbers, as in test.csv: {values.shape}")
    return values


def _broken(file: Path, what: str) -> StoreError:
    return StoreError(f"{file}: {what}; do this run again, or remove the folder of its checkpoint")
