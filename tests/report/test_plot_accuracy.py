"""Figures: what is drawn is what was given, legible, and the same bytes every time."""

import io
import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from drawings import (
    ACCURACY,
    BAND,
    DRAWN,
    FRONTENDS,
    MANY,
    MODELS,
    NS,
    accuracy,
    cells,
    drawn,
    folds,
    made,
    of_datasets,
    texts,
)
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from fewshot_audio.report.plots.accuracy import accuracy_by_n
from fewshot_audio.report.plots.files import figure_files, svg
from fewshot_audio.report.plots.names import apart
from fewshot_audio.report.plots.style import KNOWN, SPARE, looks, panels
from fewshot_audio.report.written import written
from marks import slow_but

QUICK = (
    "accuracy",
    "accuracy of ten frontends",
    "forest",
    "heat",
    "learned",
    "filters",
    "responses of one",
    "confusion of one",
    "a curve",
    "embeddings of one",
)
every_drawing = pytest.mark.parametrize("what", slow_but(*QUICK, of=DRAWN))


@every_drawing
def test_nothing_is_clipped_or_printed_over(what):
    figure = made(what).figure
    figure.draw_without_rendering()  # ticks take their places
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


@every_drawing
def test_a_drawing_speaks_for_itself(what):
    drawing = made(what)
    assert not drawing.data.empty
    assert all(len(text) > 5 for text in (drawing.title, drawing.caption, drawing.alt))
    assert drawing.caption.endswith(".")
    assert "nan" not in drawing.alt + drawing.caption


@pytest.mark.slow
def test_the_same_drawing_is_the_same_bytes():
    first, once_more = made("accuracy"), accuracy(folds())
    files = figure_files([first])
    assert list(files) == [f"figures/accuracy.{kind}" for kind in ("png", "pdf", "csv")]
    assert files["figures/accuracy.png"].startswith(b"\x89PNG")
    assert files["figures/accuracy.pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in files["figures/accuracy.pdf"]
    assert "figures/forest.csv" not in figure_files([made("forest")])  # a table has the numbers
    assert (figure_files([first]), svg(first)) == (files, svg(once_more))
    assert figure_files([once_more]) == files
    others = figure_files([made("confusion")])
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(others["figures/confusion.csv"])),
        made("confusion").data,
        check_dtype=False,
    )


@pytest.mark.parametrize(
    "what",
    slow_but(
        "accuracy", "forest", of=["accuracy", "forest", "spectrograms", "confusion", "curves"]
    ),
)
def test_the_page_s_form_has_all_text_and_what_it_refers_to(what):
    drawing = made(what)
    element = ElementTree.fromstring(svg(drawing))
    shown = {each.text for each in element.findall(".//{*}text")}
    for text in texts(drawing.figure):
        assert set(text.get_text().split("\n")) <= shown
    links = {
        value[1:]
        for each in element.iter()
        for name, value in each.attrib.items()
        if name.endswith("href") and value[0] == "#"
    }
    links |= set(re.findall(r"url\(#(\w+)", svg(drawing)))
    assert links == {each.attrib["id"] for each in element.iter() if "id" in each.attrib}
    width = float(element.attrib["width"]) / drawing.figure.get_figwidth()
    assert width * 8 / 72 >= 11  # pixels of the smallest type


@pytest.mark.slow
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
    of_points = {
        to_hex(line.get_color()) for line in drawn(made("forest of pcen").figure.axes[0])[1:]
    }
    assert of_lines
    assert {*of_lines, *of_points} == {look.colour.lower()}
    after = drawn(made("filters").figure.axes[0])[0]
    assert to_hex(after.get_color()) == KNOWN["leaf"].colour.lower()


def test_accuracy_is_drawn_in_percent_at_each_n():
    by_fold, drawing = folds(), made("accuracy")
    assert [axis.get_title() for axis in drawing.figure.axes] == ["SB-CNN", "TIMBRE"]
    for axis, model in zip(drawing.figure.axes, MODELS, strict=True):
        assert list(axis.get_xticks()) == NS
        assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "5", "50"]
        assert len(axis.get_xticks(minor=True)) == 0
        lines = {line.get_marker(): line for line in drawn(axis)}
        shown = cells(by_fold)
        shown = shown[(shown["model"] == model) & (shown["frontend"] == "log_learn")]
        np.testing.assert_allclose(lines["s"].get_xdata(), NS)  # between the other two
        np.testing.assert_allclose(lines["s"].get_ydata(), 100 * shown["mean"])
        bars = [each for each in axis.collections if isinstance(each, LineCollection)]
        ends = [bar[:, 1] for bar in bars[1].get_segments()]
        np.testing.assert_allclose(ends, 100 * shown[["low", "high"]])
        names = {text.get_text(): text for text in axis.texts}
        last = shown["mean"].iloc[-1] * 100
        assert list(names) == ["log-EPS", "log-learn", "pcen"]
        assert names["log-learn"].get_position()[1] == pytest.approx(last, abs=1.5)
        assert to_hex(names["log-learn"].get_color()) == KNOWN["log_learn"].colour.lower()
        np.testing.assert_allclose(drawn(axis)[-1].get_ydata(), [10, 10])
    assert drawing.figure.axes[0].get_ylim() == drawing.figure.axes[1].get_ylim()
    assert "SB-CNN: log-EPS from 21.0 % at n = 1 to 41.0 % at n = 50" in drawing.alt
    assert BAND in drawing.caption
    legend = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert [text for text in legend if text.strip()] == [BAND, "one fold", "chance, 10 %"]
    many = made("accuracy of ten frontends").figure
    shown = {text.get_text() for text in many.legends[0].get_texts()}
    assert set(map(written, MANY)) <= shown
    assert not many.axes[0].texts


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


def test_all_clips_are_rightmost_and_d_prime_is_unscaled():
    """Metrics that are no shares keep their scale."""
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


def test_datasets_are_panels_with_a_level_of_their_own():
    table = of_datasets(folds(["vgg"], ns=[1, 5]), ["us8k", "birds"])
    table.loc[table["dataset"] == "birds", "mean"] += 0.3
    drawing = accuracy_by_n(cells(table), table, ACCURACY, {"us8k": 0.1, "birds": 0.5}, BAND)
    axes = drawing.figure.axes
    assert [axis.get_title() for axis in axes] == ["UrbanSound8K", "birds"]
    assert [drawn(axis)[-1].get_ydata()[0] for axis in axes] == [10, 50]
    assert axes[0].get_ylim()[1] < axes[1].get_ylim()[1]
    assert "birds: log-EPS from 51.0 % at n = 1 to 61.0 % at n = 5" in drawing.alt
    assert "Chance on birds is 50.0 %." in drawing.alt


def test_names_are_moved_apart_as_little_as_that_takes():
    levels = apart(np.array([1.0, 1.2, 1.4, 5.0]), 1.0, 0.0, 9.0)
    np.testing.assert_allclose(levels, [0.2, 1.2, 2.2, 5.0])
    np.testing.assert_allclose(apart(np.array([8.9, 9.0]), 1.0, 0.0, 9.0), [8.0, 9.0])
