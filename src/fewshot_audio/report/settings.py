"""Settings of runs by dotted names, and which runs differ in others than the compared one."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.components import near
from fewshot_audio.records import flat_settings
from fewshot_audio.report.records import ALL_CLIPS, RUN_SETTINGS
from fewshot_audio.report.text import label
from fewshot_audio.types import ConfigError

FRONTEND = "frontend"
DEFAULT = "default"  # value of a setting that older records leave out
SHORTER = {"features.level": "level"}  # names of commands that are shorter in records
SPLITTING = "seed"  # changes which clips train
Flat = Mapping[str, Any]
Signature = tuple[tuple[str, str], ...]


def full_name(name: str, names: set[str], setting: str) -> str:
    """Return a setting's dotted name in records.

    `frontend` is `frontend.name`, `n_bands` `mel.n_bands`, `features.level` `level`.

    Raises:
        ConfigError: If no run has it.
    """
    for full in (name, f"{name}.name", f"mel.{name}", SHORTER.get(name, name)):
        if full in names:
            return full
    raise ConfigError(f"{setting}: no run has a setting {name}{near(name, names)}")


def pooled(pool: Iterable[str], names: set[str]) -> list[str]:
    """Return the dotted names of settings that are pooled: of a part, as `optimizer`, all it has.

    Raises:
        ConfigError: If no run has one.
    """
    found = []
    for name in pool:
        of_part = [each for each in sorted(names) if each.startswith(f"{name}.")]
        found += [each for each in of_part if not each.endswith(".type")] or [
            full_name(name, names, "report.pool")
        ]
    return found


def implied(pool: Iterable[str]) -> set[str]:
    """Return what differs with settings that are pooled: types of parts, digests of features."""
    types = {f"{name.removesuffix('.name')}.type" for name in pool if name.endswith(".name")}
    changes_features = any(name.partition(".")[0] in ("mel", "level") for name in pool)
    return types | ({"features"} if changes_features else set())


def chosen(runs: pd.DataFrame, full: Mapping[bytes, Flat], name: str, value: Any) -> pd.DataFrame:
    """Return the runs of which a setting is the value, or one of several."""
    values = [full[text].get(name, DEFAULT) for text in runs["settings"]]
    allowed = value if isinstance(value, list | tuple) else [value]
    if name in RUN_SETTINGS:
        values = list(runs[name])
        allowed = [ALL_CLIPS if each in (None, "all") else each for each in allowed]
    return runs[np.array([each in allowed for each in values], bool)]


def relabelled(runs: pd.DataFrame, values: list[Any], compare: str) -> pd.DataFrame:
    """Let the columns model and frontend name what is compared."""
    numbers = {value for value in values if isinstance(value, int | float)}
    words = {str(value) for value in values if not isinstance(value, int | float)}
    models = runs["model"].astype(str)
    if compare == "model.name":
        models = runs["frontend"].astype(str)
    elif runs["frontend"].nunique() > 1:
        models = models + " / " + runs["frontend"].astype(str)
    order = [*map(label, sorted(numbers)), *sorted(words)]
    labels = pd.Categorical([label(value) for value in values], order)
    return runs.assign(model=models.astype("category"), frontend=labels)


def tied(runs: pd.DataFrame, full: Mapping[bytes, Flat], compare: str) -> set[str]:
    """Return the settings that repeat the compared one: set once, they stand in several places.

    Such a setting has in every run the compared one's value or none, and for each frontend the same
    at each of its values.
    """
    texts = runs[["frontend", "settings"]].drop_duplicates().itertuples(index=False, name=None)
    each = [(frontend, full[text]) for frontend, text in texts]
    names = {name for _, settings in each for name in settings} - {compare}
    return {name for name in names if _repeats(each, name, compare)}


def _repeats(each: list[tuple[str, Flat]], name: str, compare: str) -> bool:
    seen: dict[tuple[str, str], str] = {}
    for frontend, settings in each:
        value, own = str(settings.get(compare, DEFAULT)), str(settings.get(name, DEFAULT))
        if own not in (value, DEFAULT) or seen.setdefault((frontend, value), own) != own:
            return False
    return True


def trained_alike(
    runs: pd.DataFrame, full: Mapping[bytes, Flat], compare: str, free: set[str], usual: Flat
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out runs whose other settings are not those of most runs that they are compared with.

    Where two groups are equally many, those with more of the usual settings are kept. Runs on all
    clips are compared with each other alone: they may be trained otherwise than those on a few.

    Args:
        runs: With the settings that their keys hold, which decide.
        full: All settings that are known, by those.
        compare: The setting that is compared.
        free: Settings that may differ.
        usual: The settings of a run for which none is chosen.

    Returns:
        The runs that are left, and a sentence for each group of runs that is left out.
    """
    flat = {text: flat_settings(text) for text in runs["settings"].unique()}
    ordinary = {(name, label(value)) for name, value in usual.items()}
    notes: list[str] = []
    runs = runs.assign(on_all=runs["n_per_class"] == ALL_CLIPS)
    for columns, groups in _checks(compare):
        signatures = {text: _signature(each, free, groups) for text, each in flat.items()}
        known = {signature: full[text] for text, signature in signatures.items()}
        kept = []
        for name, group in runs.groupby([*columns, "on_all"], sort=False):
            of_runs = group["settings"].map(signatures)
            most = _most(of_runs.value_counts(), ordinary)
            notes += _left_out(name[:-1], of_runs.value_counts(), most, known)
            kept.append(group[of_runs == most])
        runs = pd.concat(kept).sort_index()
    frontends = runs["frontend"].cat.remove_unused_categories()
    notes += _on_all(runs, flat, free)
    runs = runs.drop(columns="on_all").assign(frontend=frontends)
    return runs.reset_index(drop=True), notes


def _on_all(runs: pd.DataFrame, flat: Mapping[bytes, Flat], free: set[str]) -> list[str]:
    """Say what differs between the training on all clips and on a few."""
    groups: set[str] = set()
    for _, runs_alike in runs.groupby(["dataset", "model", "frontend"], sort=False):
        used: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
        for text, on_all in set(zip(runs_alike["settings"], runs_alike["on_all"], strict=True)):
            used[on_all].update(_signature(flat[text], free, ()))
        if all(used.values()):
            groups |= {name.partition(".")[0] for name, _ in used[True] ^ used[False]}
    if not groups:
        return []
    return [f"n = all is trained otherwise than the other n: {', '.join(sorted(groups))} differ"]


def _checks(compare: str) -> list[tuple[list[str], tuple[str, ...]]]:
    """Return columns within which all settings but some groups must be alike."""
    if compare == f"{FRONTEND}.name":
        return [
            (["dataset", "model"], ("frontend", "features")),
            (["dataset", "model", "frontend"], ()),
            (["dataset", "model", "frontend_input"], ("frontend",)),
        ]
    changes_features = compare.partition(".")[0] in ("mel", "level", FRONTEND)
    differing = ("features",) if changes_features else ()
    part = compare.removesuffix(".name")
    return [
        (["dataset", "model"], differing if part == compare else (*differing, part)),
        (["dataset", "model", "frontend"], ()),
    ]


def _signature(settings: Flat, free: set[str], groups: tuple[str, ...]) -> Signature:
    """Return the settings that must be alike, as names and texts."""
    return tuple(
        (name, str(value))
        for name, value in sorted(settings.items())
        if name not in free and not any(_is_in(name, group) for group in groups)
    )


def _is_in(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _most(counts: pd.Series, ordinary: set[tuple[str, str]]) -> Signature:
    """Return the settings that most runs have, of equally many the most usual ones."""

    def rank(signature: Signature) -> tuple[int, int, int]:
        return counts[signature], len(ordinary & set(signature)), -len(signature)

    ranks = {signature: rank(signature) for signature in counts.index}
    return min(signature for signature in ranks if ranks[signature] == max(ranks.values()))


def _left_out(
    name: tuple[str, ...], counts: pd.Series, most: Signature, known: Mapping[Signature, Flat]
) -> list[str]:
    """Say which settings of runs differ from those of most, and how to report them.

    Args:
        name: What the runs have in common.
        counts: Their number by settings.
        most: The settings that are kept.
        known: All settings that are known, by those.
    """
    notes = []
    for other in sorted(set(counts.index) - {most}):
        names = sorted({key for key, _ in set(most) ^ set(other)})
        values = [
            (key, *(known[each].get(key, DEFAULT) for each in (most, other))) for key in names
        ]
        differing = "; ".join(f"{key} is {own} instead of {usual}" for key, usual, own in values)
        count = f"{counts[other]} run{'s are' if counts[other] > 1 else ' is'} left out"
        alone = ", ".join(f"{key}: {own}" for key, _, own in values)
        first = min(names, key=lambda name: name == "features")  # a digest only
        way = f"compare with report.compare={first}"
        if names[0] == SPLITTING:
            way = "count them as repeats with report.pool=[seed]"
        notes.append(
            f"{', '.join(map(str, name))}: {count}, because {differing} "
            f"in the {counts[most]} others; {way}, or report them alone with "
            f"'report.where={{{alone}}}'"
        )
    return notes
