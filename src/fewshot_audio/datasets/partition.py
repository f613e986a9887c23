"""Splits made of clips that have none: folds, a hold-out, one fold per group, clips to validate."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fewshot_audio.datasets.base import Dataset, Fold
from fewshot_audio.datasets.listed import Listed
from fewshot_audio.seeding import seed_for
from fewshot_audio.types import ConfigError

MAX_FOLDS = 200  # of one fold per group, too
Made = tuple[list[Listed], str, tuple[str, ...]]  # clips in splits, how it was done, notes


@dataclass(frozen=True)
class Partition:
    """How clips are divided into those that train, validate and test. Groups stay whole.

    Args:
        make: "folds", "holdout" or "leave_one_group_out"; None: the splits of the data, or folds
            where they have none.
        folds: Number of folds.
        test: Share of the clips that test in a hold-out.
        valid: Share of the training clips that validate instead.
        seed: Another number makes other splits.
    """

    make: Literal["folds", "holdout", "leave_one_group_out"] | None = None
    folds: int = 5
    test: float = 0.2
    valid: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= MAX_FOLDS:
            raise ConfigError(f"dataset.split.folds={self.folds}: expected 2 to {MAX_FOLDS}")
        if not 0 < self.test < 1:
            raise ConfigError(f"dataset.split.test={self.test}: expected a share between 0 and 1")
        if not 0 <= self.valid < 1:
            raise ConfigError(f"dataset.split.valid={self.valid}: expected a share from 0 to 1")


def way(rows: Sequence[Listed], how: Partition) -> str | None:
    """Return how splits are made; None where those of the rows are used."""
    return how.make or (None if any(row.split for row in rows) else "folds")


def divide(rows: Sequence[Listed], how: Partition) -> Made:
    """Put clips into splits. It depends on clips, groups, classes and seed, not on their order.

    Raises:
        ConfigError: The groups do not suffice.
    """
    rows = sorted(rows, key=lambda row: row.id)
    make = way(rows, how)
    if make is None:
        return rows, "", ()
    replaced = ("the splits of the data are not used",) if any(row.split for row in rows) else ()
    n_groups = len({row.unit for row in rows})
    grouped = f", {n_groups:,} groups whole" if n_groups < len(rows) else ""
    if make == "leave_one_group_out":
        return _each_group(rows), "leave-one-group-out", (*replaced, "one fold per group was made")
    shares = [1 / how.folds] * how.folds if make == "folds" else [1 - how.test, how.test]
    names = [str(n + 1) for n in range(how.folds)] if make == "folds" else ["train", "test"]
    labels, units = [row.labels for row in rows], [row.unit for row in rows]
    parts = stratified(labels, units, shares, _random(how, make))
    rows = [replace(row, split=names[part]) for row, part in zip(rows, parts, strict=True)]
    kind = f"{how.folds}-folds" if make == "folds" else f"holdout-{how.test:g}"
    said = f"{how.folds} folds were" if make == "folds" else f"a test share of {how.test:g} was"
    note = f"{said} made with seed {how.seed}, stratified by class{grouped}"
    return rows, f"{kind}-seed-{how.seed}", (*replaced, note)


def _each_group(rows: Sequence[Listed]) -> list[Listed]:
    groups = sorted({row.unit for row in rows})
    if not any(row.group for row in rows) or len(groups) > MAX_FOLDS:
        raise ConfigError(
            f"dataset.split.make=leave_one_group_out: found {len(groups):,} groups, expected 2 to "
            f"{MAX_FOLDS}; name them by a column group or dataset.group_by, or use make=folds"
        )
    number = {group: str(i) for i, group in enumerate(groups, 1)}
    return [replace(row, split=number[row.unit]) for row in rows]


def with_valid(dataset: Dataset, how: Partition) -> Dataset:
    """Return a dataset in each of whose folds a share of the training clips validates.

    Raises:
        ConfigError: There are clips that validate already, or the share is none or all.
    """
    if how.valid == 0:
        return dataset
    folds = []
    for fold in dataset.folds:
        if fold.valid:
            raise ConfigError(
                f"dataset.split.valid={how.valid:g}: {dataset.name} has {len(fold.valid)} clips "
                "that validate; leave the setting out"
            )
        random = _random(how, "valid", fold.number)
        labels, groups = [clip.labels for clip in fold.train], [clip.group for clip in fold.train]
        parts = stratified(labels, groups, [1 - how.valid, how.valid], random)
        pairs = list(zip(fold.train, parts, strict=True))
        train, valid = (tuple(clip for clip, part in pairs if part == each) for each in (0, 1))
        if not (train and valid):
            raise ConfigError(
                f"dataset.split.valid={how.valid:g}: of {len(fold.train)} training clips "
                f"{len(train)} would train and {len(valid)} validate; choose another share"
            )
        folds.append(Fold(fold.number, train, fold.test, valid))
    note = f"a share of {how.valid:g} of the training clips validates, drawn with seed {how.seed}"
    made = dataset.made
    if len(folds) == 1:
        made = "-".join(filter(None, [made, f"valid-{how.valid:g}-seed-{how.seed}"]))
    return replace(dataset, folds=tuple(folds), notes=(*dataset.notes, note), made=made)


def _random(how: Partition, *names: str | int) -> np.random.Generator:
    return np.random.default_rng(seed_for("partition", how.seed, *names))


def stratified(
    labels: Sequence[Sequence[str | int]],
    groups: Sequence[str],
    shares: Sequence[float],
    random: np.random.Generator,
) -> list[int]:
    """Divide clips into parts so that each has its share of every class; groups stay whole.

    The groups of rare classes come first, large ones before small ones. Each goes to the part that
    lacks most of its classes, of equal ones to the part that lacks most clips. Iterative
    stratification (Sechidis, Tsoumakas & Vlahavas, 2011) does the same with single clips.

    Args:
        labels: Classes of each clip.
        groups: Group of each clip.
        shares: Share of each part; their sum is 1.
        random: Decides between groups that are alike.

    Returns:
        The number of each clip's part.
    """
    sizes = Counter(groups)
    total = Counter(label for each in labels for label in each)
    classes = _classes_of_groups(labels, groups)
    names = list(classes)
    order = [names[i] for i in random.permutation(len(names))]
    lacking = [{label: share * n for label, n in total.items()} for share in shares]
    room = [share * len(labels) for share in shares]
    part_of: dict[str, int] = {}
    for group in sorted(order, key=lambda group: _urgency(classes[group], total)):
        part = _neediest(classes[group], lacking, room, total)
        part_of[group] = part
        room[part] -= sizes[group]
        for label, n in classes[group].items():
            lacking[part][label] -= n
    _fill_empty(part_of, sizes, len(shares))
    return [part_of[group] for group in groups]


def _classes_of_groups(
    labels: Sequence[Sequence[str | int]], groups: Sequence[str]
) -> dict[str, dict]:
    """Return how many clips of each class each group has, groups in the order of their names."""
    classes: dict[str, dict] = {group: {} for group in sorted(set(groups))}
    for each, group in zip(labels, groups, strict=True):
        counts = classes[group]
        for label in each:
            counts[label] = counts.get(label, 0) + 1
    return classes


def _neediest(
    counts: Mapping, lacking: Sequence[Mapping], room: Sequence[float], total: Counter
) -> int:
    """Return the first part that lacks most of a group's classes, of these the one with most room.

    Args:
        counts: Clips of the group in each class.
        lacking: Clips that each part lacks in each class.
        room: Clips that each part lacks in all.
        total: Clips in each class.
    """
    part, most = 0, (-math.inf, -math.inf)
    for each_part, found in enumerate(lacking):
        need = 0.0
        for label, n in counts.items():
            need += n * found[label] / total[label]
        if (need, room[each_part]) > most:
            part, most = each_part, (need, room[each_part])
    return part


def _urgency(counts: Mapping, total: Counter) -> tuple[int, str, int]:
    """Return what sorts a group by the clips of its rarest class, in all and in itself."""
    if not counts:
        return total.total(), "", 0
    size, name, n = min((total[label], str(label), n) for label, n in counts.items())
    return size, name, -n


def _fill_empty(part_of: dict[str, int], sizes: Counter, n_parts: int) -> None:
    """Give a part without groups the smallest group of the part that has most of them."""
    for part in set(range(n_parts)) - set(part_of.values()):
        counts = Counter(part_of.values())
        richest = max(sorted(counts), key=lambda each: counts[each])
        if counts[richest] > 1:
            groups = [group for group, each in sorted(part_of.items()) if each == richest]
            part_of[min(groups, key=lambda group: sizes[group])] = part
