"""A dataset whose file names say everything: class-fold-recording-piece.wav."""

from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list


def from_names(name: str, root: Path, suffix: str = ".wav") -> Dataset:
    """Return the clips of a folder; each fold tests once while the others train.

    Args:
        name: Name of the dataset in records and tables.
        root: Folder of the clips.
        suffix: End of their names.
    """
    rows = []
    for file in sorted(root.glob(f"*{suffix}")):
        label, fold, recording, _ = file.stem.split("-")
        rows.append(Listed(file.name, (label,), fold, group=f"{label}-{fold}-{recording}"))
    return from_list(name, root, rows)
