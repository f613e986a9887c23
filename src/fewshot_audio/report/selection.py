"""Which runs are reported, by which metric, and which of their settings is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from fewshot_audio.components import near
from fewshot_audio.records import flat_settings
from fewshot_audio.report import settings as of_runs
from fewshot_audio.report.metric import measured
from fewshot_audio.report.records import RUN_SETTINGS, full_settings
from fewshot_audio.report.settings import DEFAULT, FRONTEND
from fewshot_audio.report.text import Measure, compact, label
from fewshot_audio.types import ConfigError, NoRunsError, ReportSettings, Statistics, StoreError

BASELINES = ("log_eps", "log_mel")  # the first that there is
UNPAIRED = "few-shot splits differ by {}: there are no pairs of runs, and no table of differences"
SPLIT = ["dataset", "fold", "model", "n_per_class", "pool", "repeat"]


@dataclass(frozen=True)
class Selection:
    """The runs that tables and figures are made of.

    Attributes:
        runs: The table of `runs_of`, and value (of the metric), stored (the same with the stored
            batch-norm statistics) and pool (values of the settings that are pooled). If another
            setting than the frontend is compared, `frontend` holds that setting's values, and
            `model` names the frontend too where there are several.
        without: The same of runs that have no such metric.
        measure: The metric.
        settings: What was chosen, with the baseline.
        is_paired: Whether what is compared trained on the same few-shot splits.
        notes: What a reader must know about the choice.
        pairs: The pairs of frontends that the study compares, and the table that shows each.
        comparisons: How many differences of these there are: by dataset, model, n, and over n.
    """

    runs: pd.DataFrame
    without: pd.DataFrame
    measure: Measure
    settings: ReportSettings
    is_paired: bool
    notes: tuple[str, ...] = ()
    pairs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    comparisons: int = 1

    @property
    def joint(self) -> Statistics:
        """Confidence of each difference, so that all intervals of the study hold together.

        Bonferroni: what they may miss is divided among the study's comparisons.
        """
        how = self.settings.how
        return replace(how, confidence=1 - (1 - how.confidence) / self.comparisons)


def select(runs: pd.DataFrame, settings: ReportSettings) -> Selection:
    """Choose, label and check the runs of a results folder.

    Args:
        runs: The table of `runs_of`.
        settings: `where` keeps runs with these settings, `compare` names the setting that is
            compared, `pool` those that may differ as if they were further repeats.

    Raises:
        ConfigError: If a setting or metric is one that no run has.
        NoRunsError: If no run is left.
        StoreError: If runs of a fold have two different splits.
    """
    full = full_settings(runs)
    names = {name for each in full.values() for name in each}
    for setting in ("compare", "pool"):
        _refuse_run_settings(setting, getattr(settings, setting))
    compare = of_runs.full_name(settings.compare, names, "report.compare")
    pool = of_runs.pooled(settings.pool, names)
    runs = _filtered(runs, full, names, settings.where or {})
    _check_same_splits(runs)
    pools = {text: _pool(flat_settings(text), pool) for text in full}  # older records have these
    runs, free = runs.assign(pool=runs["settings"].map(pools)), {compare, *pool}
    free |= of_runs.implied(pool)
    free.update(*(of_runs.tied(runs, full, name) for name in pool))
    if compare != f"{FRONTEND}.name":
        free |= of_runs.tied(runs, full, compare)
        values = [full[text].get(compare, DEFAULT) for text in runs["settings"]]
        runs = of_runs.relabelled(runs, values, compare)
    usual = flat_settings(settings.usual)
    runs, notes = of_runs.trained_alike(runs, full, compare, free, usual)
    runs, without, measure, lacking = measured(runs, settings.metric)
    settings = replace(settings, compare=_short(compare), baseline=_baseline(runs, settings))
    is_paired = compare == f"{FRONTEND}.name" or _on_the_same_splits(runs)
    if not is_paired:
        notes.append(UNPAIRED.format(settings.compare))
    return Selection(runs, without, measure, settings, is_paired, (*notes, *lacking))


def _pool(settings: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the values of settings that are pooled, as words of a command."""
    values = [(name, settings.get(name, DEFAULT)) for name in names]
    return " ".join(f"{_short(name)}={compact(value)}" for name, value in values)


def _filtered(
    runs: pd.DataFrame,
    full: Mapping[bytes, Mapping[str, Any]],
    names: set[str],
    where: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the runs with these settings."""
    for name, value in flat_settings(where).items():
        known = of_runs.full_name(name, names | set(RUN_SETTINGS), "report.where")
        runs = of_runs.chosen(runs, full, known, value)
    if runs.empty:
        raise NoRunsError(f"no finished runs with report.where={where}")
    return runs


def _check_same_splits(runs: pd.DataFrame) -> None:
    """Raise StoreError where runs with the same settings have other clips that train or test."""
    texts = runs["settings"].unique()
    alike = {text: repr(flat_settings(text) | {"features": None}) for text in texts}
    by_dataset = [runs["settings"].map(alike), runs["dataset"].astype(str)]
    by_fold = [*by_dataset, runs["fold"]]
    for (_, dataset, fold), splits in runs["split"].groupby(by_fold):
        found = sorted(splits.dropna().unique())
        if len(found) > 1:
            raise StoreError(
                f"{dataset}, fold {fold}: runs with two different splits, as after a change of the "
                "data or of dataset.split; report those of one with "
                f"'report.where={{split: {found[0]}}}' or {found[1]}, or keep them in two results "
                "folders (results=...), or under two names (dataset.name=...)"
            )
    for (_, dataset), partitions in runs["partition"].groupby(by_dataset):
        if partitions.nunique() > 1:
            raise StoreError(
                f"{dataset}: its folds are of two different partitions, as after a change of "
                "dataset.split; keep these runs in two results folders (results=...), or under two "
                "names (dataset.name=...)"
            )


def _refuse_run_settings(setting: str, names: str | tuple[str, ...]) -> None:
    for name in [names] if isinstance(names, str) else names:
        if name in RUN_SETTINGS:
            raise ConfigError(
                f"report.{setting}={name}: expected a setting of training; each n has a column, "
                "and folds and repeats are averaged"
            )


def _short(name: str) -> str:
    return name.removesuffix(".name")


def _baseline(runs: pd.DataFrame, settings: ReportSettings) -> str:
    """Return what others are compared with, checked."""
    frontends = list(runs["frontend"].cat.remove_unused_categories().cat.categories)
    usual = next(name for name in (*BASELINES, *frontends) if name in frontends)
    baseline = usual if settings.baseline is None else label(settings.baseline)
    if baseline not in frontends:
        raise ConfigError(f"report.baseline={baseline}{near(baseline, frontends)}")
    return baseline


def _on_the_same_splits(runs: pd.DataFrame) -> bool:
    """Whether runs that would be pairs saw the same clips."""
    splits = runs.assign(few_shot_split=runs["few_shot_split"].fillna(""))
    return bool((splits.groupby(SPLIT)["few_shot_split"].nunique() == 1).all())
