"""Checkpoint folders of runs: how each test clip was answered, and its embedding."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.types import StoreError

CLIP = ["path", "start", "end", "label"]  # what names a test clip; start and end in seconds
ANSWER = ["prediction", "correct"]
BETWEEN = ";"  # several labels in a cell
EMBEDDINGS = "embeddings.npy"


class _About(msgspec.Struct):
    key: str
    class_names: list[str]


def checkpoints_in(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the checkpoint folders of results folders by the keys of their runs.

    Raises:
        StoreError: A checkpoint.json cannot be read.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("checkpoints/[!.]*/checkpoint.json")):
            found.setdefault(_about(file.parent).key, file.parent)
    return found


def _about(folder: Path) -> _About:
    file = folder / "checkpoint.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=_About)
    except (OSError, msgspec.MsgspecError) as error:
        raise _broken(file, str(error)) from error


def answered_clips(folder: Path) -> pd.DataFrame:
    """Return a run's test clips, a row each in the order of their embeddings.

    Returns:
        The columns `CLIP`, prediction, is_wrong, probability. start and end are "" of whole files.
        The probability is that of the label, of several labels the smallest.

    Raises:
        StoreError: The file test.csv cannot be read, or has other columns than expected.
    """
    file = folder / "test.csv"
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise _broken(file, str(error)) from error
    if absent := [name for name in ("path", "label", *ANSWER) if name not in table]:
        raise _broken(file, f"no column {', '.join(absent)}")
    classes = _about(folder).class_names
    shares = table.iloc[:, table.columns.get_loc("correct") + 1 :]
    if shares.shape[1] != len(classes):
        raise _broken(file, f"{shares.shape[1]} probabilities of {len(classes)} classes")
    clips = table.reindex(columns=[*CLIP, "prediction"], fill_value="")
    is_wrong = table["correct"].str.lower() != "true"
    shares = shares.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    return clips.assign(is_wrong=is_wrong, probability=_of_labels(table["label"], shares, classes))


def _of_labels(labels: pd.Series, shares: np.ndarray, classes: Sequence[str]) -> list[float]:
    """Return the probability of each clip's label, of several the smallest; NaN of none."""
    places, probabilities = {name: place for place, name in enumerate(classes)}, []
    for text, row in zip(labels, shares, strict=True):
        names = [text] if text in places else text.split(BETWEEN)
        own = [row[places[name]] for name in names if name in places]
        probabilities.append(min(own, default=np.nan))
    return probabilities


def embeddings(folder: Path, clips: int) -> np.ndarray:
    """Return a run's embeddings (clips, dims).

    Raises:
        StoreError: They cannot be read, or are not as many as the clips.
    """
    file = folder / EMBEDDINGS
    try:
        values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(file, str(error)) from error
    if values.ndim != 2 or len(values) != clips:
        raise _broken(file, f"expected ({clips}, dims) numbers, as in test.csv: {values.shape}")
    return values


def _broken(file: Path, what: str) -> StoreError:
    return StoreError(f"{file}: {what}; do this run again, or remove the folder of its checkpoint")
