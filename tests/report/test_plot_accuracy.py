"""Figures: what is drawn is what was given, legible, and the same bytes every time."""

import io
import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from drawings import (
    BAND,
    DRAWN,
    FRONTENDS,
    MANY,
    MODELS,
    NS,
    accuracy,
    cells,
    clip,
    drawn,
    folds,
    grid,
    made,
    texts,
)
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from fewshot_audio.report.plots.completeness import completeness
from fewshot_audio.report.plots.spectrograms import spectrograms
from fewshot_audio.report.plots.style import KNOWN, SPARE, looks, panels, save
from fewshot_audio.types import NoRunsError, StoreError


@pytest.mark.parametrize("what", DRAWN)
def test_nothing_is_clipped_or_printed_over(what):
    figure = made(what).figure
    places = [
        (text.get_text(), text.get_fontsize(), text.get_window_extent()) for text in texts(figure)
    ]
    width, height = figure.bbox.size
    for name, size, box in places:
        assert size >= 8, name
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.5, f"{name} is clipped"
    for (one, _, first), (other, _, second) in itertools.combinations(places, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        along = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(across, along) < 1, f"{one} and {other} overlap"


@pytest.mark.parametrize("what", DRAWN)
def test_a_drawing_speaks_for_itself(what):
    drawing = made(what)
    assert not drawing.data.empty
    assert all(len(text) > 5 for text in (drawing.title, drawing.caption, drawing.alt))
    assert drawing.caption.endswith(".")
    assert "nan" not in drawing.alt + drawing.caption


def test_the_same_drawing_is_the_same_bytes():
    first, once_more = made("accuracy"), accuracy(folds())
    files = save(first)
    assert list(files) == ["accuracy_us8k.png", "accuracy_us8k.pdf", "accuracy_us8k.csv"]
    assert files["accuracy_us8k.png"].startswith(b"\x89PNG")
    assert files["accuracy_us8k.pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in files["accuracy_us8k.pdf"]
    assert save(first) == files
    assert save(once_more) == files
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(files["accuracy_us8k.csv"])), first.data, check_dtype=False
    )


def test_figures_need_neither_torch_nor_pyplot():
    code = (
        "import sys; from fewshot_audio.report import figures; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frontends_look_the_same_wherever_they_are():
    assert {name: looks(MANY)[name] for name in KNOWN} == KNOWN
    assert looks(["pcen"])["pcen"] == looks(["log_eps", "pcen", "leaf"])["pcen"]
    assert list(looks(["b", "a", "b"])) == ["b", "a"]
    for part in ("colour", "marker"):
        assert len({getattr(look, part) for look in [*KNOWN.values(), *SPARE]}) == len(KNOWN) + len(
            SPARE
        )
    assert len(set(looks(MANY).values())) == len(MANY)
    assert len(looks(map(str, range(50)))) == 50


def test_colours_agree_between_figures():
    look = looks(["pcen"])["pcen"]
    of_lines = [
        to_hex(line.get_color())
        for line in drawn(made("accuracy").figure.axes[0])
        if line.get_marker() == look.marker
    ]
    of_points = {to_hex(line.get_color()) for line in drawn(made("forest").figure.axes[1])[1:]}
    assert of_lines
    assert {*of_lines, *of_points} == {look.colour.lower()}
    after = drawn(made("filters").figure.axes[0])[0]
    assert to_hex(after.get_color()) == KNOWN["leaf"].colour.lower()


def test_accuracy_is_drawn_in_percent_at_each_n():
    by_fold, drawing = folds(), made("accuracy")
    assert drawing.name == "accuracy_us8k"
    assert [axis.get_title() for axis in drawing.figure.axes] == MODELS
    for axis, model in zip(drawing.figure.axes, MODELS, strict=True):
        assert list(axis.get_xticks()) == NS
        assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "5", "50"]
        assert len(axis.get_xticks(minor=True)) == 0
        lines = {line.get_marker(): line for line in drawn(axis)}
        shown = cells(by_fold)
        shown = shown[(shown["model"] == model) & (shown["frontend"] == "log_learn")]
        assert list(lines["s"].get_xdata()) == NS
        np.testing.assert_allclose(lines["s"].get_ydata(), 100 * shown["mean"])
        band = axis.collections[2].get_datalim(axis.transData)
        np.testing.assert_allclose(
            [band.y0, band.y1], [100 * shown["low"].min(), 100 * shown["high"].max()]
        )
        np.testing.assert_allclose(drawn(axis)[-1].get_ydata(), [10, 10])
    assert drawing.figure.axes[0].get_ylim() == drawing.figure.axes[1].get_ylim()
    assert "sb_cnn: log_eps from 21.0 % at n = 1 to 41.0 % at n = 50" in drawing.alt
    assert BAND in drawing.caption
    assert {BAND, "chance, 10 %", "one fold", *FRONTENDS} <= {
        text.get_text() for text in drawing.figure.legends[0].get_texts()
    }


def test_accuracies_in_the_file_are_those_given():
    by_fold, data = folds(), made("accuracy").data
    names = ["dataset", "model", "frontend", "n_per_class", "fold", "mean", "low", "high", "count"]
    assert list(data) == [*names, "chance", "unit"]
    means, single = data[data["fold"] == "all"], data[data["fold"] != "all"]
    np.testing.assert_allclose(means["low"], 100 * cells(by_fold)["low"])
    np.testing.assert_allclose(single["mean"], 100 * by_fold["mean"])
    assert list(single["fold"]) == list(map(str, by_fold["fold"]))
    assert set(data["chance"]) == {10}
    assert set(data["unit"]) == {"%"}


def test_all_clips_stand_at_the_right_and_other_metrics_keep_their_scale():
    axis = made("accuracy with all clips").figure.axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "5", "all"]
    drawing = made("d prime")
    assert drawing.figure.axes[0].get_ylabel() == "d prime"
    assert drawing.data["mean"].max() < 1


def test_folds_of_frontends_stand_side_by_side():
    axis = made("accuracy").figure.axes[0]
    points = [each.get_offsets() for each in axis.collections if isinstance(each, PathCollection)]
    np.testing.assert_allclose(points[0][:, 1], [20, 22, 30, 32, 40, 42])
    assert points[0][0, 0] < points[1][0, 0] < points[2][0, 0]
    assert points[1][0, 0] == pytest.approx(1)


def test_wide_bands_leave_the_means_readable():
    drawing = made("accuracy, wide bands")
    low, high = drawing.figure.axes[0].get_ylim()
    assert low == 0
    assert high < 85  # the highest fold is at 50
    assert "cut where they leave the axis" in drawing.caption
    assert "cut" not in made("accuracy").caption


def test_one_n_is_drawn_side_by_side():
    axis = made("accuracy at one n").figure.axes[0]
    assert list(axis.get_xticks()) == [5]
    means = [line for line in drawn(axis) if line.get_marker() not in ("", "None")]
    assert [line.get_marker() for line in means] == [
        looks(FRONTENDS)[name].marker for name in FRONTENDS
    ]
    places = [line.get_xdata()[0] for line in means]
    assert axis.get_xlim()[0] < places[0] < places[1] < places[2] < axis.get_xlim()[1]
    whiskers = [
        each.get_segments()[0][:, 1]
        for each in axis.collections
        if isinstance(each, LineCollection)
    ]
    np.testing.assert_allclose(whiskers[0], [17, 25])


def test_without_a_band_or_chance_nothing_is_said_of_them():
    drawing = made("accuracy without a band")
    assert BAND not in drawing.caption + "".join(
        text.get_text() for text in drawing.figure.legends[0].get_texts()
    )
    assert "hance" not in drawing.caption + drawing.alt
    assert drawing.data["chance"].isna().all()


def test_panels_stand_in_rows_of_at_most_three():
    shapes = {}
    for count in range(1, 6):
        figure, axes = panels(count, 3, 2)
        assert figure.axes == axes
        assert len(axes) == count
        shapes[count] = axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert shapes == {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 5: (2, 3)}


def test_figures_are_of_one_dataset_and_of_something():
    both = pd.concat([folds(), folds(dataset="esc50")])
    with pytest.raises(StoreError, match="expected one dataset, found us8k, esc50"):
        accuracy(both)
    for make in (
        lambda: accuracy(folds().head(0)),
        lambda: completeness(grid().head(0)),
        lambda: spectrograms(clip().head(0)),
    ):
        with pytest.raises(NoRunsError, match="figure"):
            make()
