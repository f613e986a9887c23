"""FewShotSplits: which clips train in each repeat, seeded by name or read from a file."""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from fewshot_audio.files import atomic_write
from fewshot_audio.seeding import seed_for
from fewshot_audio.types import Clip, ConfigError, DataError, Dataset, FewShotSplit, Fold, Sampling

COLUMNS = ("dataset", "fold", "n_per_class", "repeat", "path")


class FewShotSplits:
    """The tasks of one fold, seeded or read from a CSV.

    `digest` says which in a run's identity: None for seeded draws by clip, "recording" for those by recording, a file's hash.
    ConfigError where both a file and a way to draw are given.
    """

    def __init__(self, dataset: Dataset, fold: Fold, seed: int, how: Sampling, path: Path | None):
        self.dataset, self.fold, self.seed, self.how, self.path = dataset, fold, seed, how, path
        by = None if how.by == "clip" else how.by
        if path is not None and by is not None:
            raise ConfigError(
                f"splits={path} already says which clips train; leave sampling.by={by} out"
            )
        self._from_file = None if path is None else read(dataset, fold, path)
        self.digest = by if self._from_file is None else _digest(self._from_file.values())

    def task(self, n_per_class: int, repeat: int) -> FewShotSplit:
        """The draw for (n, repeat). ConfigError where it is impossible or the file has none."""
        if self._from_file is None:
            return draw(self.dataset, self.fold, n_per_class, repeat, self.seed, self.how)
        if (n_per_class, repeat) not in self._from_file:
            raise ConfigError(
                f"{self.path} has no draw for n {n_per_class}, repeat {repeat}; it has {sorted(self._from_file)[:5]} ..."
            )
        return self._from_file[n_per_class, repeat]

    def check(self, n_per_class: int, repeats: int) -> None:
        """ConfigError where one of the draws 1 ... m for n is impossible."""
        if self._from_file is None:
            check_size(self.dataset, self.fold, n_per_class)
            return
        for repeat in range(1, repeats + 1):
            self.task(n_per_class, repeat)


def draw(
    dataset: Dataset, fold: Fold, n_per_class: int, repeat: int, seed: int, how: Sampling
) -> FewShotSplit:
    """n clips per class without replacement from the fold's training clips; the same for every model and frontend.

    ConfigError where a class has fewer than n.
    """
    check_size(dataset, fold, n_per_class)
    random = np.random.default_rng(
        seed_for("draw", seed, dataset.name, fold.number, n_per_class, repeat)
    )
    choose = {"clip": by_clip, "group": by_group}[how.by]
    train = [
        clip for clips in by_class(dataset, fold) for clip in choose(clips, n_per_class, random)
    ]
    return FewShotSplit(n_per_class, repeat, tuple(train), fold.test)


def by_clip(clips: Sequence[Clip], n: int, random: np.random.Generator) -> list[Clip]:
    """n of the clips, each as likely as any other."""
    return [clips[i] for i in random.choice(len(clips), n, replace=False)]


def by_group(clips: Sequence[Clip], n: int, random: np.random.Generator) -> list[Clip]:
    """n of the clips from as many recordings as there are: one of each in random order, then a second of each, and so on."""
    names = sorted({clip.group for clip in clips})
    place = dict(zip(names, random.permutation(len(names)), strict=True))
    taken: Counter[str] = Counter()
    ranked = []
    for i in random.permutation(len(clips)):
        taken[clips[i].group] += 1
        ranked.append((taken[clips[i].group], place[clips[i].group], clips[i]))
    return [clip for _, _, clip in sorted(ranked, key=lambda each: each[:2])[:n]]


def by_class(dataset: Dataset, fold: Fold) -> list[list[Clip]]:
    """The fold's training clips of each class, sorted by path."""
    groups = defaultdict(list)
    for clip in fold.train:
        groups[clip.label].append(clip)
    return [groups[label] for label in range(len(dataset.classes))]


def check_size(dataset: Dataset, fold: Fold, n_per_class: int) -> None:
    """ConfigError, with fold, class and both numbers, where a class has fewer training clips than n."""
    counts = Counter(clip.label for clip in fold.train)
    sizes = [(name, counts[label]) for label, name in enumerate(dataset.classes)]
    short = [f"{name} has {count}" for name, count in sizes if count < n_per_class]
    if short:
        raise ConfigError(
            f"n_per_class={n_per_class} is more than {dataset.name}, test fold {fold.number}, has to train on: "
            f"{', '.join(short)}; ask for n_per_class=[...] up to {min(count for _, count in sizes)}"
        )


def split_digest(task: FewShotSplit) -> str:
    """The first 16 hex digits of the SHA-256 over the sorted paths of the training clips."""
    return hashlib.sha256("\n".join(sorted(clip.path for clip in task.train)).encode()).hexdigest()[
        :16
    ]


def class_counts(task: FewShotSplit, classes: int) -> dict[str, list[int]]:
    """How many training clips each class has, and how many different recordings they come from."""
    clips = [[clip for clip in task.train if clip.label == label] for label in range(classes)]
    return {
        "clips_per_class": list(map(len, clips)),
        "groups_per_class": [len({clip.group for clip in each}) for each in clips],
    }


def _digest(tasks: Iterable[FewShotSplit]) -> str:
    drawn = sorted(
        (task.n_per_class, task.repeat, [clip.path for clip in task.train]) for task in tasks
    )  # their order counts
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]


def export(dataset: Dataset, drawn: Mapping[Fold, Iterable[FewShotSplit]], path: Path) -> None:
    """Write the draws of some folds as CSV, one row per training clip."""
    with atomic_write(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for fold, tasks in drawn.items():
            for task in tasks:
                writer.writerows(
                    (dataset.name, fold.number, task.n_per_class, task.repeat, clip.path)
                    for clip in task.train
                )


def read(dataset: Dataset, fold: Fold, path: Path) -> dict[tuple[int, int], FewShotSplit]:
    """A CSV of draws to the tasks of this dataset and fold by (n, repeat).

    DataError for a missing column, a clip that is not one to train on, or a draw that is not n different clips per class.
    """
    known = {clip.path: clip for clip in fold.train}
    drawn: dict[tuple[int, int], list[Clip]] = defaultdict(list)
    for number, row in _rows(path):
        if (row["dataset"], row["fold"]) != (dataset.name, str(fold.number)):
            continue
        if row["path"] not in known:
            raise DataError(
                f"{path}:{number}: {row['path']} is not a training clip of {dataset.name}, fold {fold.number}"
            )
        if not (row["n_per_class"].isdecimal() and row["repeat"].isdecimal()):
            raise DataError(
                f"{path}:{number}: n_per_class {row['n_per_class']}, repeat {row['repeat']}; expected whole numbers"
            )
        drawn[int(row["n_per_class"]), int(row["repeat"])].append(known[row["path"]])
    if not drawn:
        raise DataError(f"{path} has no draws of {dataset.name}, fold {fold.number}")
    for (n, repeat), clips in drawn.items():
        _check_draw(dataset, clips, n, f"{path}: fold {fold.number}, n {n}, repeat {repeat}")
    return {
        (n, repeat): FewShotSplit(n, repeat, tuple(clips), fold.test)
        for (n, repeat), clips in drawn.items()
    }


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise DataError(f"splits={path}: no such file; scripts/splits.py writes one")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, restval="")
        try:
            if absent := set(COLUMNS) - set(reader.fieldnames or ()):
                raise DataError(
                    f"{path}: column {', '.join(sorted(absent))} is missing; expected {', '.join(COLUMNS)}"
                )
            return list(enumerate(reader, 2))
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is no text in UTF-8 ({error})") from error


def _check_draw(dataset: Dataset, clips: Sequence[Clip], n: int, where: str) -> None:
    for label, name in enumerate(dataset.classes):
        found = [clip.path for clip in clips if clip.label == label]
        if len(found) != n or len(set(found)) != n:
            raise DataError(
                f"{where}: expected {n} different clips of {name}, found {len(set(found))} in {len(found)} rows"
            )
