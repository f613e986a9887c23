"""Few-shot splits: which clips train in each repeat."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fewshot_audio.datasets.base import Clip, Dataset, FewShotSplit, Fold
from fewshot_audio.datasets.split_files import read_splits
from fewshot_audio.seeding import digest_of, seed_for
from fewshot_audio.types import ConfigError, Sampling


class FewShotSplits:
    """The few-shot splits of one fold, drawn by seed or read from a CSV.

    Args:
        dataset: The dataset.
        fold: The fold whose clips train and test.
        seed: Seed of the study.
        sampling: How clips are drawn.
        path: CSV of splits to use instead; None: draw.
        validates: Whether clips that validate are used.

    Attributes:
        digest: What tells the splits apart in a run's identity: None for splits drawn by clip,
            "group" for those drawn by group, else a digest of the file's splits.
        notes: What a user should know before training: clips that test, or validate, and share a
            group with clips that train.

    Raises:
        ConfigError: Both a CSV and a way of drawing are given.
    """

    def __init__(
        self,
        dataset: Dataset,
        fold: Fold,
        seed: int,
        sampling: Sampling,
        path: Path | None,
        validates: bool = False,
    ) -> None:
        self.dataset, self.fold, self.seed = dataset, fold, seed
        self.sampling, self.path = sampling, path
        self.digest: str | None = None if sampling.by == "clip" else sampling.by
        self.notes = leak_notes(dataset, fold, "test", fold.test)
        if validates:
            self.notes += leak_notes(dataset, fold, "validation", fold.valid)
        self._from_file: dict[tuple[int, int], FewShotSplit] = {}
        if path is not None:
            if sampling.by != "clip":
                raise ConfigError(
                    f"splits={path} already says which clips train; leave "
                    f"sampling.by={sampling.by} out"
                )
            self._from_file = read_splits(dataset, fold, path)
            self.digest = _digest(self._from_file.values())

    def split(self, n_per_class: int | None, repeat: int) -> FewShotSplit:
        """Return the split of a repeat; all training and validation clips where n is None.

        Raises:
            ConfigError: A class has fewer clips than n, or the CSV has no such split.
        """
        if n_per_class is None:
            return FewShotSplit(None, repeat, self.fold.train, self.fold.test, self.fold.valid)
        if self.path is None:
            return draw_split(
                self.dataset, self.fold, n_per_class, repeat, self.seed, self.sampling
            )
        if (n_per_class, repeat) not in self._from_file:
            raise ConfigError(
                f"{self.path} has no split for n {n_per_class}, repeat {repeat}; it has "
                f"{sorted(self._from_file)[:5]} ..."
            )
        return self._from_file[n_per_class, repeat]

    def check(self, n_per_class: int | None, repeats: int) -> None:
        """Raise ConfigError where one of the splits 1 ... repeats is impossible."""
        if n_per_class is None:
            if self.path is not None:
                raise ConfigError(
                    f"splits={self.path} lists few-shot splits, and all clips are asked for; "
                    "leave it out"
                )
        elif self.path is None:
            check_size(self.dataset, self.fold, n_per_class)
        else:
            for repeat in range(1, repeats + 1):
                self.split(n_per_class, repeat)


def draw_split(
    dataset: Dataset, fold: Fold, n_per_class: int, repeat: int, seed: int, sampling: Sampling
) -> FewShotSplit:
    """Draw n clips per class without replacement from the clips that train.

    The split depends on the seed, the dataset's name, the fold, n and the repeat alone, so that it
    is the same for every model and frontend. A clip of several classes that is drawn for more than
    one of them trains once.

    Raises:
        ConfigError: A class has fewer than n clips.
    """
    check_size(dataset, fold, n_per_class)
    random = np.random.default_rng(
        seed_for("draw", seed, dataset.name, fold.number, n_per_class, repeat)
    )
    choose = {"clip": choose_clips, "group": choose_by_group}[sampling.by]
    train: list[Clip] = []
    for clips in _by_class(dataset, fold):
        train += choose(clips, n_per_class, random)
    return FewShotSplit(n_per_class, repeat, tuple(dict.fromkeys(train)), fold.test)


def choose_clips(clips: Sequence[Clip], n: int, random: np.random.Generator) -> list[Clip]:
    """Choose n of the clips, each as likely as any other."""
    return [clips[i] for i in random.choice(len(clips), n, replace=False)]


def choose_by_group(clips: Sequence[Clip], n: int, random: np.random.Generator) -> list[Clip]:
    """Choose n of the clips from as many groups as there are.

    One clip of each group is taken in random order, then a second of each, and so on.
    """
    groups = sorted({clip.group for clip in clips})
    position = dict(zip(groups, random.permutation(len(groups)), strict=True))
    taken: Counter[str] = Counter()
    ranked = []
    for i in random.permutation(len(clips)):
        group = clips[i].group
        taken[group] += 1
        ranked.append((taken[group], position[group], clips[i]))
    ranked.sort(key=lambda entry: entry[:2])
    return [clip for _, _, clip in ranked[:n]]


def check_size(dataset: Dataset, fold: Fold, n_per_class: int) -> None:
    """Raise ConfigError where a class has fewer training clips than n."""
    counts = Counter(label for clip in fold.train for label in clip.labels)
    sizes = {name: counts[label] for label, name in enumerate(dataset.classes)}
    short = [f"{name} has {size}" for name, size in sizes.items() if size < n_per_class]
    if short:
        raise ConfigError(
            f"n_per_class={n_per_class} is more than {dataset.name}, test fold {fold.number}, has "
            f"to train on: {', '.join(short)}; ask for n_per_class=[...] up to "
            f"{min(sizes.values())}"
        )


def leak_notes(dataset: Dataset, fold: Fold, part: str, clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return a sentence on clips of a part that share a group with training clips, if any do.

    Example: "21 of 24 test clips share a recording with training".
    """
    groups = {clip.group for clip in fold.train}
    count = sum(clip.group in groups for clip in clips)
    if count == 0:
        return ()
    verb = "shares" if count == 1 else "share"
    return (f"{count} of {len(clips)} {part} clips {verb} a {dataset.leak_unit} with training",)


def split_digest(split: FewShotSplit) -> str:
    """Return a digest of the clips that train, whatever their order: 16 hexadecimal digits."""
    ids = sorted(clip.id for clip in split.train)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def class_counts(split: FewShotSplit, n_classes: int) -> dict[str, list[int]]:
    """Return how many training clips each class has, and from how many groups they come."""
    clips_per_class, groups_per_class = [], []
    for label in range(n_classes):
        clips = [clip for clip in split.train if label in clip.labels]
        clips_per_class.append(len(clips))
        groups_per_class.append(len({clip.group for clip in clips}))
    return {"clips_per_class": clips_per_class, "groups_per_class": groups_per_class}


def _by_class(dataset: Dataset, fold: Fold) -> list[list[Clip]]:
    """Return the training clips of each class, sorted by id."""
    clips = defaultdict(list)
    for clip in fold.train:
        for label in clip.labels:
            clips[label].append(clip)
    return [clips[label] for label in range(len(dataset.classes))]


def _digest(splits: Iterable[FewShotSplit]) -> str:
    """Return a digest of splits in which the order of the clips counts."""
    rows = sorted(
        (split.n_per_class, split.repeat, [clip.id for clip in split.train]) for split in splits
    )
    return digest_of(rows)
