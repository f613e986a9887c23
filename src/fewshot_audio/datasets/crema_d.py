"""CREMA-D: acted emotions, in folds of actors that are made here."""

import re
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root, list_files
from fewshot_audio.types import ConfigError

AUDIO = "AudioWAV"
FILE_NAME = re.compile(r"(\d{4})_[A-Z]{3}_([A-Z]{3})_[A-Z]+\.wav")  # actor_sentence_emotion_level
EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
EMPTY = "1076_MTI_SAD_XX.wav"  # known to hold no speech
FIRST_ACTOR, N_ACTORS, N_CLIPS = 1001, 91, 7442


def crema_d(name: str, root: Path, folds: int = 5, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read CREMA-D: 7,442 clips of 91 actors and 6 emotions (Cao et al., 2014).

    There is no official split. Actor 1001 is in fold 1, 1002 in fold 2 and so on, beginning again
    at 1 after the last fold. An actor's fold thus depends on nothing but the number of folds.

    Args:
        name: Name of the dataset in results.
        root: The folder that holds AudioWAV.
        folds: Number of folds.
        tolerate: "silent" accepts clips of zeros; clips that are missing cannot be known.

    Raises:
        ConfigError: There are fewer than two folds.
        DataError: There are too few files.
    """
    if folds < 2:
        raise ConfigError(f"dataset.folds={folds}: expected at least 2")
    root = find_root(root, "CREMA-D", AUDIO)
    rows = [row for row in read(root, folds) if not row.path.endswith(EMPTY)]
    notes = (f"{folds} folds of actors, made here", f"{EMPTY}, which holds no speech, is left out")
    return from_list(name, root, rows, leak_unit="actor", tolerate=tolerate, notes=notes)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with the official counts: no list of files is published."""
    root = find_root(root, "CREMA-D", AUDIO)
    rows = read(root)
    labels = complaint(lambda folder: _check(rows, folder), root)
    readable = [row for row in rows if not row.path.endswith(EMPTY)]
    return verify_list("crema_d", root, readable, 16000, labels, full, workers)


def read(root: Path, folds: int = 5) -> list[Listed]:
    """Return the clips whose names are those of the dataset."""
    rows = []
    for path in sorted(list_files(root, [AUDIO])):
        match = FILE_NAME.fullmatch(path.removeprefix(f"{AUDIO}/"))
        if match and match[2] in EMOTIONS:
            fold = (int(match[1]) - FIRST_ACTOR) % folds + 1
            rows.append(Listed(path, (EMOTIONS[match[2]],), str(fold), match[1]))
    return rows


def _check(rows: list[Listed], root: Path) -> None:
    found = {"clips": len(rows), "actors": len({row.group for row in rows})}
    check_counts("numbers", found, {"clips": N_CLIPS, "actors": N_ACTORS}, root)
