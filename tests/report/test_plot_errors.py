"""Learning curves and maps of embeddings."""

import json

import numpy as np
import pandas as pd
import pytest
from drawings import courses, learning_curves, made, places
from synthetic_checkpoints import CLASSES, keep_checkpoint
from synthetic_records import chosen, record

from fewshot_audio.report import embeddings
from fewshot_audio.report.figures import curves, draw, histories
from fewshot_audio.report.plots.embeddings import NAMED, OTHERS, embedding_map
from fewshot_audio.report.records import read_runs
from fewshot_audio.types import StoreError

N = 30  # clips of each class


def drawn(runs, made):
    selection = chosen(made)
    return [each.name for each in draw(selection, runs.head(0), made, selection.settings.results)]


def test_curves_are_medians_of_the_runs_that_got_as_far():
    table = courses(frontends=["leaf"], ns=[5], quantities=["accuracy"])
    drawing = learning_curves(table)
    data = drawing.data.set_index("epoch")
    assert data["runs"].tolist() == [4] * 30 + [3, 2, 1]
    for epoch in (1, 20, 31):
        values = 100 * table.loc[table["epoch"] == epoch, "value"]
        expected = np.percentile(values, [25, 50, 75])
        assert data.loc[epoch, ["low", "median", "high"]].tolist() == pytest.approx(expected)
    (axis,) = drawing.figure.axes
    assert axis.get_ylabel() == "valid accuracy (%)"
    np.testing.assert_allclose(axis.lines[0].get_ydata(), data["median"])


def test_a_panel_per_quantity_and_n_with_its_frontends():
    axes = made("curves").figure.axes
    assert [axis.get_title() for axis in axes[:7]] == [
        f"n = {n}" for n in (1, 2, 5, 10, 20, 50, 100)
    ]
    assert [axis.get_ylabel() for axis in axes if axis.get_ylabel()] == [
        *["train loss"] * 2,
        *["valid accuracy (%)"] * 2,
    ]
    assert {len(axis.lines) for axis in axes} == {4}
    assert {axis.get_yscale() for axis in axes[:7]} == {"log"}
    assert len({axis.get_ylim() for axis in axes[7:]}) == 1


def test_histories_without_losses_and_metrics_have_no_curves():
    history = {"epoch": [0, 1], "alpha": [1.0, 2.0]}
    run = record(1, 5, 1, "leaf", 0.5, history=history)
    assert not [name for name in drawn(chosen([run]).runs, [run]) if "curves" in name]
    run["history"] |= {"train loss": [None, 0.5], "valid accuracy": [None, 0.25]}
    table = histories([(("us8k", "vgg", "leaf", 5, 1, 1), run)], curves)
    assert table[["quantity", "epoch", "value"]].to_numpy().tolist() == [
        ["train loss", 1, 0.5],
        ["valid accuracy", 1, 0.25],
    ]
    assert "curves" in drawn(chosen([run]).runs, [run])


@pytest.fixture
def store(tmp_path):
    """Runs of two frontends with clips of three classes, far from each other; one of a larger n."""
    random = np.random.default_rng(0)
    clips = {f"{label}/{place}.wav": label for label in CLASSES for place in range(N)}
    centres = 50 * np.eye(3, 8)[[CLASSES.index(label) for label in clips.values()]]
    answers = [(label, 1, 0, 0) for label in clips.values()]
    runs = [record(1, n, 1, frontend, 0.5) for n in (1, 5) for frontend in ("log_eps", "leaf")]
    runs.append(record(1, 20, 1, "leaf", 0.5))
    for run in runs:
        values = centres + random.normal(size=centres.shape)
        keep_checkpoint(tmp_path, run["key"], answers, values, clips=clips)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x.jsonl").write_text("".join(json.dumps(run) + "\n" for run in runs))
    return tmp_path


def located(store):
    return embeddings.located(read_runs([store])[0].assign(pool=""))


def test_frontends_show_the_largest_split_that_all_have(store):
    """Clusters stay apart."""
    table = located(store)
    assert table.groupby("frontend")["n_per_class"].unique().map(list).to_dict() == {
        "leaf": [5],
        "log_eps": [5],
    }
    for _, clips in table.groupby("frontend"):
        points, labels = clips[["x", "y"]].to_numpy(), clips["label"].to_numpy()
        apart = np.linalg.norm(points[:, None] - points, axis=2)
        np.fill_diagonal(apart, np.inf)
        assert (labels[apart.argmin(axis=1)] == labels).all()
    assert located(store).equals(table)


def test_some_of_many_and_no_collapsed_clips_are_placed(store, monkeypatch):
    monkeypatch.setattr(embeddings, "MOST", 10)
    assert len(located(store)) == 20
    for file in store.glob("checkpoints/*-log_eps151/embeddings.npy"):
        np.save(file, np.ones((3 * N, 8)))
    for file in store.glob("checkpoints/*leaf*/embeddings.npy"):
        np.save(file, np.full((3 * N, 8), np.nan))
    assert located(store).empty


def test_embeddings_of_other_clips_are_refused(store):
    for file in store.glob("checkpoints/*/embeddings.npy"):
        np.save(file, np.ones((3, 8)))
    with pytest.raises(StoreError, match=r"embeddings.npy: expected \(90, dims\) numbers"):
        located(store)
    for file in store.glob("checkpoints/*/embeddings.npy"):
        file.unlink()
    assert located(store).empty


def test_a_map_names_the_most_frequent_classes():
    table = places(["leaf"], classes=20)
    figure = embedding_map(table).figure
    named = [text.get_text() for text in figure.legends[0].get_texts() if text.get_text().strip()]
    frequent = table["label"].value_counts()
    named.remove(OTHERS)
    assert len(named) == NAMED
    assert frequent[named].min() >= frequent.drop(named).max()
    points = sum(len(each.get_offsets()) for each in figure.axes[0].collections)
    assert points == len(table)
    looks = {
        (tuple(each.get_facecolor()[0]), each.get_paths()[0].vertices.tobytes())
        for each in figure.axes[0].collections
    }
    assert len(looks) == NAMED + 1


def test_a_map_says_which_runs_it_shows():
    assert made("embeddings").caption.endswith("One run each: fold 1, n = 5, repeat 1.")
    whole = places(["leaf"]).assign(n_per_class=np.inf)
    caption = embedding_map(pd.concat([whole, places(["log_eps"])])).caption
    assert caption.endswith("LEAF: fold 1, n = all, repeat 1; log-EPS: fold 1, n = 5, repeat 1.")
    assert "distance between clusters" in caption
