"""The answer to each question of a study, as a sentence."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from fewshot_audio.report.averages import average_of_tasks, tasks_of
from fewshot_audio.report.differences import OPEN, compare
from fewshot_audio.report.power import needed_folds, needed_repeats
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import SPLITS, TASKS
from fewshot_audio.report.text import interval_name, joined, n_text, these
from fewshot_audio.report.written import written

QUESTION = ["dataset", "first", "second"]
COMPARED = ["model", "first", "second"]
FEW = 3  # so many n are all named
MANY = 100  # more folds or seeds than anybody has
SUBJECTS = {  # pairs that the question at the top of the page is about
    ("log_learn", "log_eps"): "Learning the log-mel's compression",
    ("leaf", "log_eps"): "Learning the whole frontend in place of the log-mel",
    ("leaf", "log_mel"): "Learning the whole frontend in place of the log-mel",
}


def questions(pairs: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return the differences of each dataset and pair of frontends, in the order of the tables.

    Where only all clips train, on several datasets, a question is about their average if there is
    one.

    Args:
        pairs: Pairs of runs.
        selection: The runs.

    Returns:
        A row per model, as `compare` makes them, with text (the difference), where (what it is a
        mean over, in words) and of (its unit, after a comma).
    """
    if pairs.empty:
        return pairs
    averages = _averages(pairs, selection)
    has_one = pairs.set_index(COMPARED).index.isin(averages.set_index(COMPARED).index)
    parts = [averages]
    if not has_one.all():
        parts.append(compare(selection, pairs[~has_one], over_n=True))
    cells = pd.concat([each for each in parts if len(each)], ignore_index=True)
    cells["text"] = [selection.measure.with_limits(cell) for cell in cells.itertuples()]
    unit = ", in points" if selection.measure.is_share else ""
    groups = [
        group.assign(where=_where(dataset, group, pairs, selection), of=unit)
        for (dataset, *_), group in _in_order(cells, selection)
    ]
    return pd.concat(groups)


def answers(asked: pd.DataFrame, selection: Selection) -> list[str]:
    """Return a sentence for each question of `questions`, and last how to read them."""
    if asked.empty:
        names = written(joined(list(selection.runs["frontend"].cat.categories)))
        return [f"There are runs of {names} only, and nothing on the same splits to compare with."]
    sentences = []
    for (where, first, second), cells in asked.groupby(["where", "first", "second"], sort=False):
        found = "; ".join(_found(same, said, selection) for said, same in _by_verdict(cells))
        unit = cells["of"].iloc[0]
        asked_of = written(f"{where}: {first} minus {second}")
        sentences.append(f"{asked_of}{unit}{',' if unit else ''} is {found}.")
    return [*sentences, _reading(asked, selection)]


def headlines(studies: Sequence[pd.DataFrame]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what is known of each of `SUBJECTS`: its name, and verdicts with what they rest on.

    Each study is the result of `questions`.

    Of studies of the same model and data, the one with the most folds answers, then with the most
    runs.
    """
    known = [each for each in studies if len(each)]
    if not known:
        return []
    asked, found = pd.concat(known), []
    for (first, second), name in SUBJECTS.items():
        own = asked[(asked["first"] == first) & (asked["second"] == second)]
        if len(own):
            own = own.sort_values(["folds", "count"], ascending=False, kind="stable")
            best = own.drop_duplicates(["dataset", "model"])
            said = [(word, _by_study(same)) for word, same in _by_verdict(best)]
            compared = written(f"{first} minus {second}")
            found.append((f"{name} ({compared}{own['of'].iloc[0]})", said))
    return found


def _by_study(cells: pd.DataFrame) -> str:
    """Return studies with the differences of their models."""
    texts = (cells["text"] + " for " + cells["model"].astype(str)).groupby(
        cells["where"], sort=False
    )
    return written("; ".join(f"{where}: {joined(list(each))}" for where, each in texts))


def _by_verdict(cells: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return cells.groupby(cells.apply(said_of, axis=1), sort=False)


def _averages(pairs: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return averages over tasks where all runs are of such, else none."""
    if (pairs["n_per_class"] != ALL_CLIPS).any() or not tasks_of(selection):
        return pairs.iloc[:0]
    return average_of_tasks(selection, compare(selection, pairs))


def _where(dataset: str, cells: pd.DataFrame, pairs: pd.DataFrame, selection: Selection) -> str:
    """Return what the cells of a dataset and a pair of frontends are means over."""
    if _is_of_tasks(cells):
        count = max(tasks_of(selection)[model] for model in cells["model"])
        return f"{dataset} of {count} tasks, n = {n_text(ALL_CLIPS)}"
    here = (pairs[QUESTION].astype(str) == cells[QUESTION].iloc[0].astype(str)).all(axis=1)
    return f"{dataset}, {_count(cells)}, {_ns(pairs[here])}"


def _is_of_tasks(cells: pd.DataFrame) -> bool:
    return bool((cells["unit"] == TASKS).all())


def _in_order(
    cells: pd.DataFrame, selection: Selection
) -> list[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Return questions with their cells, in the order of the tables that show them."""
    places = {each: place for place, each in enumerate(selection.pairs)}
    questions = list(cells.groupby(QUESTION, sort=True))
    return sorted(questions, key=lambda each: (each[0][0], places.get(each[0][1:], len(places))))


def said_of(cell: pd.Series) -> str:
    """Return a cell's verdict, with the folds that it is about where these are not any folds."""
    if cell["unit"] not in (SPLITS, TASKS) or cell["verdict"] == OPEN:
        return cell["verdict"]
    here = "these tasks" if cell["unit"] == TASKS else these(cell["folds"])
    return f"{cell['verdict']} on {here}"


def _found(cells: pd.DataFrame, said: str, selection: Selection) -> str:
    """Return models that have the same verdict, with their differences."""
    texts = [f"{cell.text} for {written(cell.model)}" for cell in cells.itertuples()]
    return f"{joined(texts)}: {said}{_needs(cells, selection) if said == OPEN else ''}"


def _needs(cells: pd.DataFrame, selection: Selection) -> str:
    """Return how many folds, or seeds of tasks, the model that varies most needs."""
    measure, margin, takes = selection.measure, selection.settings.how.margin, []
    unit, needs = ("seeds", needed_repeats) if _is_of_tasks(cells) else ("folds", needed_folds)
    for difference in (margin, 3 * margin):
        needed = needs(cells, difference, selection.joint.confidence)
        if np.isnan(needed).any():
            if _is_of_tasks(cells) and cells["se"].notna().all():
                return ""  # some tasks vary by fold, whatever the seeds
            return f"; there are too few {unit} to say how many it needs"
        size = measure.scale * difference
        points = f" point{'s' if size != 1 else ''}" if measure.is_share else ""
        takes.append((f"{size:g}{points}", f"with {most(needed)}"))
    (small, many), (large, few) = takes
    return f"; {small} would show {many} {unit}, {large} {few}"


def most(needed: np.ndarray) -> str:
    """Return the largest of some numbers of folds or seeds as text."""
    return f"about {needed.max():.0f}" if needed.max() <= MANY else f"over {MANY}"


def about(count: float) -> str:
    """Return a number of folds or repeats as text."""
    return f"{count:.0f}" if np.isfinite(count) else "1,000+"


def _count(cells: pd.DataFrame) -> str:
    low, high = cells["folds"].min(), cells["folds"].max()
    return f"{low if low == high else f'{low} to {high}'} fold{'s' if high > 1 else ''}"


def _ns(pairs: pd.DataFrame) -> str:
    ns = [n_text(n) for n in sorted(pairs["n_per_class"].unique())]
    uneven = pairs.groupby("n_per_class")["fold"].nunique().nunique() > 1
    shown = ", ".join(ns) if len(ns) <= FEW else f"{ns[0]} … {ns[-1]}"
    return f"n = {shown}{' (not every fold has every n)' if uneven else ''}"


def _reading(cells: pd.DataFrame, selection: Selection) -> str:
    """Return what the numbers and words of the sentences mean."""
    measure, how = selection.measure, selection.settings.how
    unit = " points" if measure.is_share else ""
    over, last = "n", "folds, and as many repeats as here,"
    if _is_of_tasks(cells):
        over, last = "tasks", "seeds, on these tasks,"
    return (
        f"Differences in {measure.label}{measure.direction}, mean over {over} "
        f"[{interval_name(cells, how, selection.comparisons)}]. Gain, loss: the interval excludes "
        f"zero; no difference: it is within ± {measure.value(how.margin)}{unit}; no gain: it "
        f"excludes a gain as large as that. Would show: 80 of 100 studies with so many "
        f"{last} would find it."
    )
