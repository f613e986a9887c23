"""Which runs are reported, by which metric, and which of their settings is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.components import near
from fewshot_audio.report.records import ALL_CLIPS, flat_settings
from fewshot_audio.report.text import Measure
from fewshot_audio.types import ConfigError, NoRunsError, ReportSettings

FRONTEND = "frontend"
DEFAULT = "default"  # value of a setting that a run's identity leaves out
BASELINE = "log_eps"
RUN_SETTINGS = ("fold", "n_per_class", "repeat")


@dataclass(frozen=True)
class Selection:
    """The runs that tables and figures are made of.

    Attributes:
        runs: The table of `runs_of`, and value (of the metric), stored (the same with the stored
            batch-norm statistics) and pool (values of the settings that are pooled). If another
            setting than the frontend is compared, `frontend` holds that setting's values, and
            `model` names the frontend too where there are several.
        measure: The metric.
        settings: What was chosen, with the baseline.
        notes: What a reader must know about the choice.
    """

    runs: pd.DataFrame
    measure: Measure
    settings: ReportSettings
    notes: tuple[str, ...] = ()


def select(runs: pd.DataFrame, settings: ReportSettings) -> Selection:
    """Choose, label and check the runs of a results folder.

    Args:
        runs: The table of `runs_of`.
        settings: `where` keeps runs with these settings, `compare` names the setting that is
            compared, `pool` those that may differ as if they were further repeats.

    Raises:
        ConfigError: If a setting or metric is one that no run has.
        NoRunsError: If no run is left.
    """
    flat = {text: flat_settings(text) for text in runs["settings"].unique()}  # few have their own
    names = {name for each in flat.values() for name in each} | set(RUN_SETTINGS)
    compare = _full_name(settings.compare, names, "report.compare")
    pool = [_full_name(name, names, "report.pool") for name in settings.pool]
    for name, value in flat_settings(settings.where or {}).items():
        runs = _chosen(runs, flat, _full_name(name, names, "report.where"), value)
    if runs.empty:
        raise NoRunsError(f"no finished runs with report.where={settings.where}")
    pools = {
        text: " ".join(f"{_short(name)}={each.get(name, DEFAULT)}" for name in pool)
        for text, each in flat.items()
    }
    runs = runs.assign(pool=runs["settings"].map(pools))
    if compare != f"{FRONTEND}.name":
        values = [flat[text].get(compare, DEFAULT) for text in runs["settings"]]
        runs = _relabelled(runs, values, compare)
    runs, notes = _trained_alike(runs, flat, compare, pool)
    runs, measure = _measured(runs, settings.metric)
    frontends = list(runs["frontend"].cat.categories)
    usual = BASELINE if BASELINE in frontends else frontends[0]
    baseline = settings.baseline or usual
    if baseline not in frontends:
        raise ConfigError(f"report.baseline={baseline}{near(baseline, frontends)}")
    settings = replace(settings, compare=_short(compare), baseline=baseline)
    return Selection(runs, measure, settings, tuple(notes))


def _full_name(name: str, names: set[str], setting: str) -> str:
    """Return a setting's dotted name, where `frontend` stands for `frontend.name`."""
    full = name if name in names else f"{name}.name"
    if full not in names:
        raise ConfigError(f"{setting}: no run has a setting {name}{near(name, names)}")
    return full


def _short(name: str) -> str:
    return name.removesuffix(".name")


def _chosen(runs: pd.DataFrame, flat: Mapping[bytes, dict], name: str, value: Any) -> pd.DataFrame:
    """Return the runs of which a setting is the value, or one of several."""
    values = [flat[text].get(name, DEFAULT) for text in runs["settings"]]
    if name in RUN_SETTINGS:
        values = [None if each == ALL_CLIPS else each for each in runs[name]]
    allowed = value if isinstance(value, list | tuple) else [value]
    return runs[np.array([each in allowed for each in values], bool)]


def _relabelled(runs: pd.DataFrame, values: list[Any], compare: str) -> pd.DataFrame:
    """Let the columns model and frontend name what is compared."""
    numbers = {value for value in values if isinstance(value, int | float)}
    words = {str(value) for value in values if not isinstance(value, int | float)}
    models = runs["model"].astype(str)
    if compare == "model.name":
        models = runs["frontend"].astype(str)
    elif runs["frontend"].nunique() > 1:
        models = models + " / " + runs["frontend"].astype(str)
    order = [*map(str, sorted(numbers)), *sorted(words)]
    labels = pd.Categorical([str(value) for value in values], order)
    return runs.assign(model=models.astype("category"), frontend=labels)


def _trained_alike(
    runs: pd.DataFrame, flat: Mapping[bytes, dict], compare: str, pool: list[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out runs whose other settings are not those of most runs that they are compared with.

    Returns:
        The runs that are left, and a sentence for each group of runs that is left out.
    """
    free = {compare, *pool}
    if compare == f"{FRONTEND}.name":
        checks = [  # columns within which all settings but these groups must be alike
            (["dataset", "model"], ("frontend", "features")),
            (["dataset", "model", "frontend"], ()),
            (["dataset", "model", "frontend_input"], ("frontend",)),
        ]
    else:
        changes_features = compare.partition(".")[0] in ("mel", FRONTEND)
        checks = [
            (["dataset", "model"], ("features",) if changes_features else ()),
            (["dataset", "model", "frontend"], ()),
        ]
    notes: list[str] = []
    for columns, groups in checks:
        signatures = {text: _signature(each, free, groups) for text, each in flat.items()}
        kept = []
        for name, group in runs.groupby(columns, sort=False):
            of_runs = group["settings"].map(signatures)
            counts = of_runs.value_counts()
            most = min(counts[counts == counts.max()].index)
            for other in sorted(set(counts.index) - {most}):
                notes.append(_left_out(name, most, other, counts))
            kept.append(group[of_runs == most])
        runs = pd.concat(kept).sort_index()
    frontends = runs["frontend"].cat.remove_unused_categories()
    return runs.assign(frontend=frontends).reset_index(drop=True), notes


def _signature(
    settings: Mapping[str, Any], free: set[str], groups: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return the settings that must be alike, as names and texts."""
    return tuple(
        (name, str(value))
        for name, value in sorted(settings.items())
        if name not in free and name.partition(".")[0] not in groups
    )


def _left_out(
    name: tuple[str, ...],
    most: tuple[tuple[str, str], ...],
    other: tuple[tuple[str, str], ...],
    counts: pd.Series,
) -> str:
    """Say which settings of some runs differ from those of most, and how to report them."""
    one, two = dict(most), dict(other)
    names = [key for key in sorted(one | two) if one.get(key) != two.get(key)]
    differing = "; ".join(
        f"{key} is {two.get(key, DEFAULT)} instead of {one.get(key, DEFAULT)}" for key in names
    )
    chosen = ", ".join(f"{key}: {two.get(key, DEFAULT)}" for key in names)
    return (
        f"{', '.join(map(str, name))}: {counts[other]} runs are left out, because {differing} in "
        f"the {counts[most]} others; compare with report.compare={names[0]}, "
        f"or report them alone with 'report.where={{{chosen}}}'"
    )


def _measured(runs: pd.DataFrame, metric: str | None) -> tuple[pd.DataFrame, Measure]:
    """Add the columns value and stored, and leave out runs without the metric."""
    names = sorted({name for metrics in runs["metrics"] for name in metrics})
    if metric is None:
        metric = "accuracy" if "accuracy" in names else names[0]
    if metric not in names:
        raise ConfigError(f"report.metric={metric}: no run has it{near(metric, names)}")
    values = runs.assign(
        value=pd.Series([each.get(metric) for each in runs["metrics"]], runs.index, float),
        stored=pd.Series(
            [each.get(metric) for each in runs["metrics_stored_batch_norm"]], runs.index, float
        ),
    )
    values = values[values["value"].notna()].reset_index(drop=True)
    return values, Measure.of(metric, values["value"])
