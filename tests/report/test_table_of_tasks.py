"""The table of tasks, computed again by pandas and SciPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_records import PARTIAL, SETTINGS, chosen, record

from fewshot_audio.report.answers import answers, questions
from fewshot_audio.report.averages import AVERAGE, SHARED
from fewshot_audio.report.differences import pair_all, with_pairs
from fewshot_audio.report.export import markdown
from fewshot_audio.report.figures import draw
from fewshot_audio.report.multitask import TOGETHER
from fewshot_audio.report.plots.style import looks
from fewshot_audio.report.tasks import tasks
from fewshot_audio.report.text import points
from fewshot_audio.types import NoRunsError, StoreError

LEVEL = 1 - 0.05 / (2 * 2 + 2)  # two models, each with two tasks and their average
TASKS, FRONTENDS, MODELS, SEEDS = ["birds", "words"], ["leaf", "log_mel"], ["cnn", "net"], 4


def runs():
    """Accuracies of two frontends, two models, four seeds; words has four folds."""
    random, rows = np.random.default_rng(0), []
    for model in MODELS:
        for task, fold in [("birds", 1), *(("words", fold) for fold in range(1, 5))]:
            for seed in range(1, SEEDS + 1):
                for frontend in FRONTENDS:
                    rows.append((model, task, fold, seed, frontend, round(random.random() / 4, 3)))
    return pd.DataFrame(rows, columns=["model", "task", "fold", "seed", "frontend", "accuracy"])


def selected(table, settings=SETTINGS, n=None, more=()):
    """These runs, and more records, selected."""
    records = []
    for run in table.itertuples():
        names = {"dataset": {"name": run.task}, "model": {"name": run.model}}
        each = record(run.fold, n, run.seed, run.frontend, run.accuracy, names)
        each |= {"class_names": [f"{run.task} {place}" for place in range(4)]}
        records.append({**each, "key": str(run.Index), "few_shot_split": None})
    return with_pairs(chosen([*records, *more], settings), {})


def multitask(table):
    """Records of runs of both tasks, with other accuracies than on each alone, in fold 1."""
    random, records = np.random.default_rng(1), []
    of_fold = table[table["fold"] == 1]
    for (model, frontend, seed), _ in of_fold.groupby(["model", "frontend", "seed"]):
        names = {"dataset": {"name": "both"}, "model": {"name": model}}
        values = {f"{task} accuracy": round(random.random() / 4, 3) for task in TASKS}
        each = record(1, None, seed, frontend, np.mean(list(values.values())), names)
        each["metrics"] |= values | {"top 5 accuracy": 1.0}  # which is of no task
        each["class_names"] = ["birds/owl", "birds/wren", "words/no", "words/yes"]
        key = f"{model} {frontend} {seed}"
        records.append({**each, "key": key, "few_shot_split": None})
    return records


def made(table, settings=SETTINGS, n=None):
    """The table of tasks of these runs."""
    return tasks(selected(table, settings, n), "tasks", "{metric}")


@pytest.mark.parametrize("unit", ["fold", "split"])
def test_averages_are_those_of_pandas_and_scipy(unit):
    table = runs()
    settings = replace(SETTINGS, how=replace(SETTINGS.how, unit=unit))
    cells = made(table, settings).cells.set_index(["model", "frontend", "dataset", "shown"])
    names = ["model", "task", "fold", "seed"]
    wide = table.pivot(index=names, columns="frontend", values="accuracy").reset_index()
    wide["difference"] = wide["leaf"] - wide["log_mel"]
    for model, group in wide.groupby("model"):
        birds, words = (group[group["task"] == task] for task in TASKS)
        folds = [each["difference"] for _, each in words.groupby("fold")]
        single = stats.ttest_1samp(birds["difference"], 0)
        errors, dfs = [single._standard_error / 2], [SEEDS - 1]
        if unit == "fold":
            errors.append(stats.sem([fold.mean() for fold in folds]) / 2)
            dfs.append(3)
        else:
            errors += [fold.sem() / 4 / 2 for fold in folds]
            dfs += [SEEDS - 1] * 4
        error = np.linalg.norm(errors)
        df = error**4 / sum(e**4 / d for e, d in zip(errors, dfs, strict=True))
        mean = (birds["difference"].mean() + np.mean([f.mean() for f in folds])) / 2
        average = cells.loc[(model, "leaf", AVERAGE, "− log_mel")]
        interval = stats.t.interval(LEVEL, df, mean, error)
        assert average[["mean", "low", "high"]].tolist() == pytest.approx([mean, *interval])
        of_birds = cells.loc[(model, "leaf", "birds", "− log_mel")]
        limits = list(single.confidence_interval(LEVEL))
        assert of_birds[["low", "high"]].tolist() == pytest.approx(limits)
        for frontend in FRONTENDS:
            by_task = group.groupby(["task", "fold"])[frontend].mean().groupby("task").mean()
            shown = cells.loc[(model, frontend, AVERAGE, "accuracy")]
            assert shown["mean"] == pytest.approx(by_task.mean())


def test_a_row_per_task_and_the_average_last_model_by_model():
    table = made(runs())
    assert table.text[["model", "shown", "dataset"]].to_numpy().tolist() == [
        [model, shown, task]
        for model in MODELS
        for shown in ("accuracy", "− log_mel")
        for task in ["birds", "words", AVERAGE]
    ]
    assert table.text.columns.tolist()[3:] == FRONTENDS
    assert len(markdown(table, []).splitlines()) == 4 + 12
    assert ".0 folds" not in table.caption


def test_an_average_needs_every_task_of_its_model():
    table = runs()
    without = table[(table["task"] != "words") | (table["frontend"] != "leaf")]
    text = made(without).text
    averages = text[text["dataset"] == AVERAGE]
    assert set(averages["leaf"]) == {"–"}
    assert "–" not in set(averages["log_mel"][averages["shown"] == "accuracy"])
    incomplete = table[(table["seed"] != 2) | (table["frontend"] != "leaf")]
    with pytest.raises(StoreError, match="2 runs are missing"):
        made(incomplete)
    assert len(made(incomplete, PARTIAL).text) == 12


@pytest.mark.parametrize(
    ("unit", "needs"),
    [
        ("fold", "cannot tell yet."),
        pytest.param(
            "split",
            "cannot tell yet; 1 point would show with over 100 seeds",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_answers_and_the_forest_show_the_table_s_average(unit, needs):
    table, settings = runs(), replace(SETTINGS, how=replace(SETTINGS.how, unit=unit))
    selection = selected(table, settings)
    pairs = pair_all(selection, "pairs", None, partial=True)
    average = made(table, settings).cells.query("dataset == @AVERAGE and shown == '− log_mel'")
    answer, reading = answers(questions(pairs, selection), selection)
    found = "; ".join(
        f"{points(c.mean)} [{points(c.low, signed=False)}, {points(c.high, signed=False)}] for {c.model}"
        for c in average.itertuples()
    ).replace("; ", " and ")
    start = f"average of 2 tasks, n = all: LEAF minus log-mel, in points, is {found}: "
    assert answer.startswith(start + needs)
    assert "mean over tasks [95 % t interval over seeds, for these tasks, widened" in reading
    forest = next(d for d in draw(selection, pairs, [], Path("none")) if d.name == "forest")
    first = forest.data[forest.data["dataset"] == AVERAGE]
    np.testing.assert_allclose(
        first[["mean", "low", "high"]], 100 * average[["mean", "low", "high"]]
    )
    rows = [text.get_text() for text in forest.figure.axes[0].get_yticklabels()]
    assert rows[0].startswith(AVERAGE)


def test_a_gain_of_the_average_is_one_on_these_tasks():
    table = runs()
    shift = 0.4 * (table["frontend"] == "leaf")
    selection = selected(table.assign(accuracy=table["accuracy"] + shift))
    answer = answers(
        questions(pair_all(selection, "pairs", None, partial=True), selection), selection
    )[0]
    assert answer.endswith(": gain on these tasks.")


def test_networks_of_several_tasks_have_a_row_for_each():
    """These rows stand beside those of networks of one task."""
    table = runs()
    table, several = table[table["fold"] == 1], multitask(table)
    selection = selected(table, more=several)
    made = tasks(selection, "tasks", "{metric}")
    cells = made.cells.set_index(["model", "shown", "dataset", "frontend"])
    assert set(made.cells["dataset"]) == {*TASKS, AVERAGE}
    for model in MODELS:
        wide = table[table["model"] == model].pivot(
            index="seed", columns=["frontend", "task"], values="accuracy"
        )
        own = [each for each in several if each["identity"]["model"]["name"] == model]
        gained = {}
        for frontend in FRONTENDS:
            runs_of = [e for e in own if e["identity"]["frontend"]["name"] == frontend]
            for task in TASKS:
                together = np.array([each["metrics"][f"{task} accuracy"] for each in runs_of])
                shown = cells.loc[(model, "accuracy", task, f"{frontend} (multi-task)")]
                assert shown["mean"] == pytest.approx(together.mean())
                gained[frontend, task] = together - wide[frontend, task].to_numpy()
            average = cells.loc[(model, "multi-task − alone", AVERAGE, f"{frontend} (multi-task)")]
            parts = [gained[frontend, task] for task in TASKS]
            errors = [stats.sem(part) / 2 for part in parts]
            df = np.linalg.norm(errors) ** 4 / sum(e**4 / (SEEDS - 1) for e in errors)
            level = 1 - 0.05 / 26  # 2 models: of one task 3, both 1, by task 3, gains 2 x 3
            mean, error = np.mean(parts), np.linalg.norm(errors)
            expected = [mean, *stats.t.interval(level, df, mean, error)]
            assert average[["mean", "low", "high"]].tolist() == pytest.approx(expected)
    assert "widened so that the study's 26 intervals hold at once" in made.caption
    pairs = pair_all(selection, "pairs", None, partial=True)
    assert all(
        "average of 2 tasks" in each
        for each in answers(questions(pairs, selection), selection)[:-1]
    )


def looked(line):
    """How a marker looks."""
    return line.get_marker(), line.get_color(), line.get_markerfacecolor()


def test_the_figure_shows_the_table():
    """Each task's mean by frontend is at its place, hollow of networks of both tasks."""
    table = runs()
    table = table[table["fold"] == 1]
    selection = selected(table, more=multitask(table))
    cells = tasks(selection, "tasks", "{metric}").cells.query("model == 'net'")
    drawings = draw(selection, pair_all(selection, "pairs", None, partial=True), [], Path("none"))
    figure = next(d for d in drawings if d.name == "tasks_net")
    accuracies = next(d for d in drawings if d.name == "accuracy").data
    has_chance = accuracies["chance"].notna().groupby(accuracies["dataset"]).all()
    assert has_chance.to_dict() == {"birds": True, "both": False, "words": True}
    upper, lower = figure.figure.axes
    labels = [text.get_text() for text in upper.get_yticklabels()]
    assert labels == [*TASKS, AVERAGE]
    look = looks(FRONTENDS)
    drawn = {
        (labels[round(line.get_ydata()[0])], round(line.get_xdata()[0], 9), *looked(line))
        for line in upper.lines
        if line.get_linestyle() == "None"
    }
    expected = set()
    for cell in cells[cells["shown"] == "accuracy"].itertuples():
        own = look[cell.frontend.removesuffix(TOGETHER)]
        face = "none" if cell.frontend.endswith(TOGETHER) else own.colour
        expected.add((cell.dataset, round(100 * cell.mean, 9), own.marker, own.colour, face))
    assert drawn == expected
    averages = cells[(cells["dataset"] == AVERAGE) & (cells["shown"] != "accuracy")]
    whiskers = {
        tuple(np.round(line.get_xdata(), 9)) for line in lower.lines if len(line.get_xdata()) == 2
    } - {(0, 0)}
    assert whiskers == {
        (round(100 * cell.low, 9), round(100 * cell.high, 9)) for cell in averages.itertuples()
    }
    assert [text.get_text() for text in lower.get_yticklabels()] == [
        "LEAF − log-mel",
        "LEAF (multi-task) − log-mel (multi-task)",
        "LEAF (multi-task) − LEAF",
        "log-mel (multi-task) − log-mel",
    ]


def test_averages_of_both_are_over_the_tasks_that_they_share():
    table = runs()
    table = table[table["fold"] == 1]
    more = table[table["task"] == "birds"].assign(task="scenes")
    selection = selected(pd.concat([table, more], ignore_index=True), more=multitask(table))
    cells = tasks(selection, "tasks", "{metric}").cells.query("model == 'net'")
    of_means = cells[cells["shown"] == "accuracy"].set_index(["frontend", "dataset"])["mean"]
    own = table[(table["model"] == "net") & (table["frontend"] == "leaf")]
    by_task = own.groupby("task")["accuracy"].mean()
    assert of_means["leaf", SHARED] == pytest.approx(by_task.mean())
    assert of_means["leaf", AVERAGE] == pytest.approx((by_task.sum() + by_task["birds"]) / 3)
    together = [of_means["leaf (multi-task)", task] for task in TASKS]
    assert of_means["leaf (multi-task)", SHARED] == pytest.approx(np.mean(together))
    assert ("leaf (multi-task)", AVERAGE) not in of_means


@pytest.mark.parametrize("n", [None, 5])
def test_it_needs_two_tasks_of_which_all_clips_train(n):
    table = runs()
    with pytest.raises(NoRunsError, match="tasks"):
        made(table if n else table[table["task"] == "birds"], n=n)
