"""Speech Commands, version 0.02, with its official lists."""

from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint, shipped_table
from fewshot_audio.files import find_root, list_files
from fewshot_audio.types import ConfigError

LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
OFFICIAL_SPLITS = {"train": 84843, "valid": 9981, "test": 11005}


def speech_commands(
    name: str,
    root: Path,
    words: tuple[str, ...] | None = None,
    tolerate: tuple[Tolerable, ...] = (),
) -> Dataset:
    """Read Speech Commands: 105,829 clips of 35 words (Warden, 2018); its noises are no class.

    Args:
        name: Name of the dataset in results.
        root: The folder speech_commands_v0.02, or the one that holds it.
        words: A part of the words; None: all.
        tolerate: "missing" leaves out listed clips without a file, "silent" accepts clips of zeros.

    Raises:
        ConfigError: `words` names words that are not there.
        DataError: A list or a listed file is missing.
    """
    root = _find_root(root)
    rows, notes = read(root), []
    if words is not None:
        known = {row.labels[0] for row in rows}
        if not words or not known.issuperset(words):
            raise ConfigError(f"dataset.words={list(words)}: expected some of {sorted(known)}")
        rows = [row for row in rows if row.labels[0] in words]
        notes = [f"only {len(set(words))} of {len(known)} words"]
    return from_list(name, root, rows, leak_unit="speaker", tolerate=tolerate, notes=notes)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with the official lists, and with the counts per split and word."""
    root = _find_root(root)
    rows = read(root)
    labels = complaint(lambda lists: _check(rows, lists), root)
    return verify_list("speech_commands", root, rows, 16000, labels, full, workers)


def read(root: Path) -> list[Listed]:
    """Return the clips: those on the lists validate or test, the others in the folders train."""
    splits: dict[str, str] = {}
    for split, file in LISTS.items():
        splits |= dict.fromkeys(read_text(root / file).split(), split)
    folders = [folder.name for folder in root.iterdir() if folder.name[0] not in "_."]
    found = {path for path in list_files(root, folders) if _is_clip(path)}
    rows = []
    for path in sorted(found | splits.keys()):
        word, _, file = path.partition("/")
        speaker = file.partition("_nohash_")[0]
        rows.append(Listed(path, (word,), splits.get(path, "train"), speaker))
    return rows


def _is_clip(path: str) -> bool:
    return "_nohash_" in path and path.endswith(".wav")


def _check(rows: list[Listed], root: Path) -> None:
    words = {word: int(clips) for word, clips in shipped_table("speech_commands_words.tsv")}
    check_counts("clips per word", Counter(row.labels[0] for row in rows), words, root)
    check_counts("clips per split", Counter(row.split for row in rows), OFFICIAL_SPLITS, root)


def _find_root(root: Path) -> Path:
    return find_root(root, "speech_commands_v0.02", LISTS["valid"])
