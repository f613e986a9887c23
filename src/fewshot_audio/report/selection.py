"""Which runs are reported, by which metric, and which of their settings is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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
        runs: The columns of `Runs.table`, and value (of the metric), stored (the same with the
            stored batch-norm statistics) and pool (values of the settings that are pooled).
            If another setting than the frontend is compared, `frontend` holds that setting's
            values, and `model` names the frontend too where there are several.
        measure: The metric.
        settings: What was asked for, with the baseline.
        notes: What a reader must know about the choice.
    """

    runs: pd.DataFrame
    measure: Measure
    settings: ReportSettings
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> str:
        """What is compared, as a column is called."""
        return self.settings.compare


def select(runs: pd.DataFrame, settings: ReportSettings) -> Selection:
    """Choose, label and check the runs of a results folder.

    Args:
        runs: `Runs.table`.
        settings: `where` keeps runs with these settings, `compare` names the setting that is
            compared, `pool` those that may differ as if they were further repeats.

    Raises:
        ConfigError: If a setting or metric is one that no run has.
        NoRunsError: If no run is left.
    """
    if runs.empty:
        raise NoRunsError("no finished runs; scripts/run.py makes them")
    flat = _flat(runs)
    names = {name for each in flat.values() for name in each} | set(RUN_SETTINGS)
    compare = _full_name(settings.compare, names, "report.compare")
    pool = [_full_name(name, names, "report.pool") for name in settings.pool]
    where = {
        _full_name(name, names, "report.where"): value
        for name, value in flat_settings(settings.where or {}).items()
    }
    chosen = runs
    if where:
        chosen = runs[[_has(row, flat, where) for row in runs.to_dict("records")]]
    if chosen.empty:
        raise NoRunsError(f"no finished runs with report.where={settings.where}")
    chosen = _pooled(chosen, flat, pool)
    chosen = _compared(chosen, flat, compare)
    chosen, notes = _trained_alike(chosen, flat, compare, pool)
    chosen, measure = _measured(chosen, settings.metric)
    frontends = list(chosen["frontend"].cat.categories)
    usual = BASELINE if BASELINE in frontends else frontends[0]
    baseline = settings.baseline or usual
    if baseline not in frontends:
        raise ConfigError(f"report.baseline={baseline}{near(baseline, frontends)}")
    settings = replace(settings, compare=_short(compare), baseline=baseline)
    return Selection(chosen, measure, settings, tuple(notes))


def _flat(runs: pd.DataFrame) -> dict[bytes, dict[str, Any]]:
    """Return the settings by their JSON, which few runs do not share."""
    return {text: flat_settings(text) for text in runs["settings"].unique()}


def _full_name(name: str, names: set[str], setting: str) -> str:
    """Return a setting's dotted name, where `frontend` stands for `frontend.name`."""
    full = name if name in names else f"{name}.name"
    if full not in names:
        raise ConfigError(f"{setting}: no run has a setting {name}{near(name, names)}")
    return full


def _short(name: str) -> str:
    return name.removesuffix(".name")


def _has(row: dict[str, Any], flat: Mapping[bytes, dict], where: Mapping[str, Any]) -> bool:
    """Whether a run has the settings."""
    for name, values in where.items():
        value = row[name] if name in RUN_SETTINGS else flat[row["settings"]].get(name, DEFAULT)
        value = None if value == ALL_CLIPS else value
        if value not in (values if isinstance(values, list | tuple) else [values]):
            return False
    return True


def _pooled(runs: pd.DataFrame, flat: Mapping[bytes, dict], pool: list[str]) -> pd.DataFrame:
    """Add the column pool, as words of a command."""
    words = {
        text: " ".join(f"{_short(name)}={settings.get(name, DEFAULT)}" for name in pool)
        for text, settings in flat.items()
    }
    return runs.assign(pool=runs["settings"].map(words))


def _compared(runs: pd.DataFrame, flat: Mapping[bytes, dict], compare: str) -> pd.DataFrame:
    """Let the columns model and frontend name what is compared."""
    if compare == f"{FRONTEND}.name":
        return runs
    values = {text: settings.get(compare, DEFAULT) for text, settings in flat.items()}
    numbers = [value for value in set(values.values()) if isinstance(value, int | float)]
    words = {str(value) for value in values.values() if value not in numbers}
    order = [*map(str, sorted(numbers)), *sorted(words)]
    compared = runs["settings"].map(lambda text: str(values[text]))
    models = runs["model"].astype(str)
    if compare == "model.name":
        models = runs["frontend"].astype(str)
    elif runs["frontend"].nunique() > 1:
        models = models + " / " + runs["frontend"].astype(str)
    return runs.assign(
        model=models.astype("category"),
        frontend=pd.Categorical(compared, [value for value in order if value in set(compared)]),
    )


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
