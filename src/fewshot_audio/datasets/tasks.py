"""Several datasets as one: each is a task, with the clips and classes of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from fewshot_audio.datasets.base import TASK, Clip, Dataset, Fold
from fewshot_audio.types import ConfigError


def from_tasks(name: str, tasks: Mapping[str, Any]) -> Dataset:
    """Return the union of datasets, fold by fold, of the folds that all of them have.

    Its classes are called "digits/zero", paths and groups likewise. Files stay where they are.

    Args:
        name: Name of the dataset in results.
        tasks: The datasets by the name of the task, which becomes theirs. A file of conf/ that
            chooses a sample rate too has its dataset one level deeper.

    Raises:
        ConfigError: There is no task, or one cannot be joined with the others.
    """
    if not tasks:
        raise ConfigError(
            "dataset.tasks: expected a dataset for each task; add for instance "
            "+dataset@dataset.tasks.digits=csv dataset.tasks.digits.root=FOLDER"
        )
    parts = {task: _checked(task, given) for task, given in tasks.items()}
    numbers = [[fold.number for fold in each.folds] for each in parts.values()]
    shared = [number for number in numbers[0] if all(number in own for own in numbers)]
    if not shared:
        have = ", ".join(f"{task} {own}" for task, own in zip(parts, numbers, strict=True))
        raise ConfigError(f"dataset.tasks: expected a fold that all tasks have, found {have}")
    units = {each.leak_unit for each in parts.values()}
    return Dataset(
        name=name,
        root=next(iter(parts.values())).root,
        classes=tuple(f"{task}{TASK}{one}" for task, each in parts.items() for one in each.classes),
        folds=tuple(_joined(parts, number) for number in shared),
        notes=tuple(f"{task}: {note}" for task, each in parts.items() for note in each.notes),
        leak_unit=units.pop() if len(units) == 1 else "group",
        tasks=parts,
    )


def _checked(task: str, given: Any) -> Dataset:
    dataset = given.get("dataset") if isinstance(given, Mapping) else given
    where = f"dataset.tasks.{task}"
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"{where}: expected a dataset with its _target_, found {given!r}")
    if TASK in task:
        raise ConfigError(f"{where}: expected a name without {TASK}")
    if dataset.multi_label or len(dataset.classes) < 2:
        raise ConfigError(f"{where}: expected one label per clip, and at least two classes")
    return replace(dataset, name=task)


def _joined(parts: Mapping[str, Dataset], number: int) -> Fold:
    """Return the fold of that number of all tasks together."""
    splits: dict[str, list[Clip]] = {"train": [], "test": [], "valid": []}
    first = 0  # class of the task
    for task, dataset in parts.items():
        for split, clips in splits.items():
            own: Sequence[Clip] = getattr(dataset.fold(number), split)
            clips += (_renamed(clip, f"{task}{TASK}", first) for clip in own)
        first += len(dataset.classes)
    by_id = {split: tuple(sorted(each, key=lambda clip: clip.id)) for split, each in splits.items()}
    return Fold(number, **by_id)


def _renamed(clip: Clip, prefix: str, first: int) -> Clip:
    labels = tuple(first + label for label in clip.labels)
    return replace(clip, path=prefix + clip.path, labels=labels, group=prefix + clip.group)


def tasks_of(class_names: Sequence[str]) -> dict[str, slice]:
    """Return the place of each task's classes among class names as those of `from_tasks`.

    Raises:
        ConfigError: A name is of no task, or the classes of a task are not side by side.
    """
    tasks: dict[str, slice] = {}
    first = 0
    for task, names in groupby(class_names, key=lambda name: name.partition(TASK)[0]):
        last = first + len(found := list(names))
        if task in tasks or not all(TASK in name for name in found):
            raise ConfigError(
                f"expected classes of tasks, as digits{TASK}zero, task by task, found {found[0]}; "
                "choose dataset=tasks"
            )
        tasks[task] = slice(first, last)
        first = last
    return tasks
