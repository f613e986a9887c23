"""Splits that were made, written as a table that dataset=csv reads."""

import csv
import hashlib
import io
from pathlib import Path

from fewshot_audio.datasets.base import Clip, Dataset
from fewshot_audio.datasets.listed import SPLITS
from fewshot_audio.files import atomic_write

SEPARATOR = ";"  # between the labels of a clip


def write_made_splits(dataset: Dataset, folder: Path) -> Path | None:
    """Write the splits of a dataset if they were made; return the file, None if they were not.

    The name holds how they were made and a digest of the content: `sounds-5-folds-seed-0-1a2b3c4d
    .csv`. So other clips or settings write another file, and no file is ever changed.

    Args:
        dataset: The dataset.
        folder: Folder of such files.
    """
    if not dataset.made:
        return None
    text = made_splits(dataset)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    file = folder / f"{dataset.name}-{dataset.made}-{digest}.csv"
    if not file.exists():
        with atomic_write(file) as draft:
            draft.write_text(text, encoding="utf-8", newline="")
    return file


def setting_to_read(dataset: Dataset) -> str:
    """Return the setting that the table of a dataset's splits must be read with, mostly none."""
    alone = not dataset.multi_label and any(SEPARATOR in name for name in dataset.classes)
    return "dataset.separator=null" if alone else ""


def made_splits(dataset: Dataset) -> str:
    """Return a table of the clips of a dataset with its split, or the fold that it tests in."""
    in_folds = len(dataset.folds) > 1
    segments = any(clip.id != clip.path for clip in dataset.clips)
    split_of: dict[Clip, str] = {}
    for fold in dataset.folds:
        if in_folds:
            split_of |= dict.fromkeys(fold.test, str(fold.number))
        else:
            for split, clips in zip(SPLITS, (fold.train, fold.valid, fold.test), strict=True):
                split_of |= dict.fromkeys(clips, split)
    output = io.StringIO(newline="")
    writer = csv.writer(output, lineterminator="\n")
    between = ["start", "end"] if segments else []
    writer.writerow(["path", *between, "label", "fold" if in_folds else "split", "group"])
    for clip in dataset.clips:
        bounds = [clip.start, "" if clip.end is None else clip.end] if segments else []
        labels = SEPARATOR.join(dataset.classes[label] for label in clip.labels)
        group = "" if clip.group == clip.path else clip.group
        writer.writerow([clip.path, *bounds, labels, split_of[clip], group])
    return output.getvalue()
