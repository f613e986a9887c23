"""What can be wrong with the rows of a user's list of clips, all of them together."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from fewshot_audio.datasets.listed import SPLITS, Listed
from fewshot_audio.datasets.listing import Problems
from fewshot_audio.datasets.partition import Partition, way
from fewshot_audio.progress import counted

DROP = "add clips, or drop them by dataset.min_clips or dataset.classes"
SMALLER = "name smaller groups in a column group (or dataset.group_by)"


def find_duplicates(rows: Sequence[Listed], problems: Problems) -> None:
    """Find clips that are listed more than once, with the same labels or others."""
    same = defaultdict(list)
    for row in rows:
        same[row.id].append(row)
    for clip, copies in same.items():
        if len(copies) == 1:
            continue
        where = "rows " + ", ".join(str(row.number) for row in copies)
        labels = [";".join(sorted(row.labels)) for row in copies]
        if len(set(labels)) == 1:
            problems.add("clips that are listed more than once", f"{where}: {clip}")
        else:
            kind = "clips that are listed with different labels"
            problems.add(kind, f"{where}: {clip} is {' and '.join(dict.fromkeys(labels))}")


def find_variants(rows: Sequence[Listed], problems: Problems) -> None:
    """Find labels that differ by capital letters or blanks alone."""
    counts = Counter(label for row in rows for label in row.labels)
    first = {label: row.number for row in reversed(rows) for label in row.labels}
    alike = defaultdict(list)
    for label in sorted(counts):
        alike[" ".join(label.split()).casefold()].append(label)
    for variants in alike.values():
        if len(variants) > 1:
            texts = []
            for label in variants:
                since = f" from row {first[label]}" if first[label] else ""
                texts.append(f"'{label}' ({counted(counts[label], 'clip')}{since})")
            cure = "dataset.labels={old: new} joins them"
            if not all(label.isascii() for label in variants):
                cure += ", in a yaml: see docs/own-data.md, Classes"
            problems.add(f"labels that differ by case or blanks alone; {cure}", " and ".join(texts))


def find_impossible_classes(rows: Sequence[Listed], how: Partition, problems: Problems) -> None:
    """Find classes that cannot both train and test, and too few groups for the folds."""
    make = way(rows, how)
    words = make is None and {row.split for row in rows} <= set(SPLITS)
    groups = len({row.unit for row in rows})
    if make and groups < 2:
        kind = f"clips of one group alone cannot both train and test; {SMALLER}"
        problems.add(kind, f"{counted(len(rows), 'clip')} in {rows[0].unit}")
        return
    if make == "folds" and groups < how.folds:
        kind = f"fewer groups than folds; dataset.split.folds={groups} is possible"
        problems.add(kind, f"{groups} groups, {how.folds} folds")
    if make == "holdout":
        return
    parts, counts = defaultdict(set), Counter(label for row in rows for label in row.labels)
    for row in rows:
        for label in row.labels:
            parts[label].add(row.split if make is None else row.unit)
    for label in sorted(parts):
        only = next(iter(parts[label]))
        clips = f"{label}: {counted(counts[label], 'clip')}"
        if words and "train" not in parts[label]:
            where = " and ".join(sorted(parts[label]))
            problems.add(f"classes without a clip that trains; {DROP}", f"{clips} in {where}")
        elif not words and len(parts[label]) == 1:
            where = f"fold {only}" if make is None else f"one group ({only})"
            cure = DROP if make is None else f"{SMALLER}, {DROP}"
            problems.add(f"classes that cannot train and test; {cure}", f"{clips}, in {where}")
