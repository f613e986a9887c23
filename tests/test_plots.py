"""Figures: what is drawn is what was given, legible, and the same bytes every time."""

import functools
import io
import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from fewshot_audio.report.drawing import KNOWN, SPARE, looks, panels, save
from fewshot_audio.report.plots import accuracy_by_n, completeness
from fewshot_audio.report.plots_differences import forest
from fewshot_audio.report.plots_frontends import SINGLE, filters, learned_scalars, maps
from fewshot_audio.types import NothingToShow, StoreError

BAND = "95 % interval over folds"
LONG_BAND = "95 % bootstrap interval over draws within the folds as they are"
MODELS, ARMS, NS = ["sb_cnn", "timbre"], ["log_eps", "log_learn", "pcen"], [1, 5, 50]

PAIRS = ["log_learn - log_eps", "pcen - log_eps"]


def folds(models=MODELS, arms=ARMS, ns=NS, of=(1, 2), dataset="us8k"):
    """Accuracies that grow with n, each a number of its own."""
    places = [range(len(part)) for part in (models, arms, ns, of)]
    rows = [
        (dataset, models[m], arms[a], ns[n], of[f], 0.2 + 0.1 * n + 0.03 * a + 0.01 * m + 0.02 * f, 3)
        for m, a, n, f in itertools.product(*places)
    ]
    return pd.DataFrame(rows, columns=["dataset", "model", "arm", "n_per_class", "fold", "mean", "count"])


def cells(by_fold, half=0.04):
    """Their means with an interval of a given half width."""
    names = ["dataset", "model", "arm", "n_per_class"]
    means = by_fold.groupby(names, sort=False).agg(mean=("mean", "mean"), count=("count", "sum")).reset_index()
    return means.assign(low=means["mean"] - half, high=means["mean"] + half)


def accuracy(by_fold, half=0.04, chance=0.1):
    return accuracy_by_n(cells(by_fold, half), by_fold, chance, BAND)


def differences(pairs=PAIRS, half=0.04, **more):
    """Differences from -2 points upwards."""
    table = cells(folds(arms=list(pairs), **more), half)
    return table.assign(**{end: table[end] - 0.22 for end in ("mean", "low", "high")})


def grid():
    rows = [("us8k", "vgg", "log_eps", 1, 6, 6), ("us8k", "vgg", "log_eps", 5, 2, 6), ("us8k", "vgg", "leaf", 1, 0, 6)]
    rows += [("esc50", "timbre", "log_learn", 5, 0, 0), ("esc50", "timbre", "log_learn", 1, 0, 0)]
    return pd.DataFrame(rows, columns=["dataset", "model", "frontend", "n_per_class", "finished", "wanted"])


def paths(runs=3, ns=(1, 5), quantities=("alpha", "beta")):
    rows = [
        ("us8k", model, "log_learn", n, 1 + run // 5, 1 + run % 5, epoch, quantity, 1036.0 + n * epoch / 100 + run + place)
        for model, n, run, epoch, (place, quantity) in itertools.product(
            MODELS, ns, range(runs), (0, 100, 199), enumerate(quantities)
        )
    ]
    names = ["dataset", "model", "frontend", "n_per_class", "fold", "repeat", "epoch", "quantity", "value"]
    return pd.DataFrame(rows, columns=names)


def bank(quantities=("centre", "alpha"), runs=10):
    tables = []
    for quantity in quantities:
        before = np.geomspace(60, 20000, 40) if quantity == "centre" else np.full(40, 0.96)
        table = {"quantity": quantity, "index": range(40), "before": before, "after": 1.1 * before, "runs": runs}
        tables.append(pd.DataFrame({**table, "low": before, "high": 1.2 * before}))
    return pd.concat(tables).assign(dataset="us8k", model="timbre", frontend="leaf")


def clip(frontends=("log_eps", "leaf")):
    """Maps of one clip of 17 frames, 10 ms apart, and 8 bands."""
    tables = []
    for place, name in enumerate(frontends):
        values = np.random.default_rng(place).normal(size=(17, 8)).round(4)
        tables.append(pd.DataFrame(values, columns=[str(band) for band in range(8)]))
        tables[-1].insert(0, "frontend", name)
        tables[-1].insert(1, "clip", "us8k, a.wav")
        tables[-1].insert(2, "seconds", np.arange(17) / 100)
    return pd.concat(tables, ignore_index=True)


MANY = ["log_eps", "log_learn", "log_fixed", "leaf", "log_10000", "pcen", "log_100", "sqrt", "leaf_frozen", "power_law"]
DRAWN = {
    "accuracy": lambda: accuracy(folds()),
    "accuracy at seven n": lambda: accuracy(folds(ns=[1, 2, 5, 10, 20, 50, 100], models=["a", "b", "c", "d"])),
    "accuracy of ten arms": lambda: accuracy(folds(arms=MANY, models=["proto"])),
    "accuracy, a long band": lambda: accuracy_by_n(cells(folds()), folds(), 0.1, LONG_BAND),
    "accuracy at one n": lambda: accuracy(folds(ns=[5])),
    "accuracy, wide bands": lambda: accuracy(folds(), half=0.9),
    "accuracy without a band": lambda: accuracy(folds(), half=np.nan, chance=None),
    "accuracy of one run": lambda: accuracy(folds(["timbre"], ["log_eps"], [5], [1]), np.nan, None),
    "accuracy without folds": lambda: accuracy_by_n(cells(folds()), folds().head(0), 0.1, BAND),
    "forest": lambda: forest(differences(), 0.02, BAND),
    "forest, four long pairs": lambda: forest(
        differences([*PAIRS, "leaf_with_a_long_name - log_eps_with_a_long_name", "leaf - log_eps"]), None, BAND
    ),
    "forest at one n": lambda: forest(differences(ns=[5]).assign(marked=True), 0.02, LONG_BAND),
    "forest, no bands": lambda: forest(differences(half=np.nan), 0.02, BAND),
    "completeness": lambda: completeness(grid()),
    "learned": lambda: learned_scalars(paths()),
    "learned, many quantities": lambda: learned_scalars(paths(quantities=["median pooling, ms", *"abcd"])),
    "filters": lambda: filters(bank()),
    "filters, eight quantities": lambda: filters(bank(["centre", *"abcdefg"], runs=1)),
    "maps": lambda: maps(clip(MANY[:5])),
}


@functools.cache
def made(what):
    return DRAWN[what]()


def drawn(axis):
    """Lines that have points."""
    return [line for line in axis.lines if len(line.get_xdata())]


def texts(figure):
    """All text that is shown, ticks' numbers out of sight apart."""
    found = [text for axis in figure.axes for text in (axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts)]
    for side in (side for axis in figure.axes for side in (axis.xaxis, axis.yaxis)):
        low, high = sorted(side.get_view_interval())
        shown = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
        found += [label for tick in shown for label in (tick.label1, tick.label2)]
    found += [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("what", DRAWN)
def test_nothing_is_clipped_or_printed_over(what):
    figure = made(what).figure
    places = [(text.get_text(), text.get_fontsize(), text.get_window_extent()) for text in texts(figure)]
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
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(files["accuracy_us8k.csv"])), first.data, check_dtype=False)


def test_figures_need_neither_torch_nor_pyplot():
    code = (
        "import sys; from fewshot_audio.report import plots, plots_differences, plots_frontends; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_arms_look_the_same_wherever_they_are():
    assert {arm: looks(MANY)[arm] for arm in KNOWN} == KNOWN
    assert looks(["pcen"])["pcen"] == looks(["log_eps", "pcen", "leaf"])["pcen"]
    assert list(looks(["b", "a", "b"])) == ["b", "a"]
    for part in ("colour", "marker"):
        assert len({getattr(look, part) for look in [*KNOWN.values(), *SPARE]}) == len(KNOWN) + len(SPARE)
    assert len(set(looks(MANY).values())) == len(MANY)
    assert len(looks(map(str, range(50)))) == 50


def test_colours_agree_between_figures():
    look = looks(["pcen"])["pcen"]
    of_lines = [to_hex(line.get_color()) for line in drawn(made("accuracy").figure.axes[0]) if line.get_marker() == look.marker]
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
        shown = shown[(shown["model"] == model) & (shown["arm"] == "log_learn")]
        assert list(lines["s"].get_xdata()) == NS
        np.testing.assert_allclose(lines["s"].get_ydata(), 100 * shown["mean"])
        band = axis.collections[2].get_datalim(axis.transData)
        np.testing.assert_allclose([band.y0, band.y1], [100 * shown["low"].min(), 100 * shown["high"].max()])
        np.testing.assert_allclose(drawn(axis)[-1].get_ydata(), [10, 10])
    assert drawing.figure.axes[0].get_ylim() == drawing.figure.axes[1].get_ylim()
    assert "sb_cnn: log_eps from 21.0 % at n = 1 to 41.0 % at n = 50" in drawing.alt
    assert BAND in drawing.caption
    assert {BAND, "chance, 10 %", "one fold", *ARMS} <= {text.get_text() for text in drawing.figure.legends[0].get_texts()}


def test_accuracies_in_the_file_are_those_given():
    by_fold, data = folds(), made("accuracy").data
    wanted = ["dataset", "model", "arm", "n_per_class", "fold", "mean_percent", "low_percent", "high_percent", "count"]
    assert list(data) == [*wanted, "chance_percent"]
    means, single = data[data["fold"] == "all"], data[data["fold"] != "all"]
    np.testing.assert_allclose(means["low_percent"], 100 * cells(by_fold)["low"])
    np.testing.assert_allclose(single["mean_percent"], 100 * by_fold["mean"])
    assert list(single["fold"]) == list(map(str, by_fold["fold"]))
    assert set(data["chance_percent"]) == {10}


def test_folds_of_arms_stand_side_by_side():
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
    assert [line.get_marker() for line in means] == [looks(ARMS)[arm].marker for arm in ARMS]
    places = [line.get_xdata()[0] for line in means]
    assert axis.get_xlim()[0] < places[0] < places[1] < places[2] < axis.get_xlim()[1]
    whiskers = [each.get_segments()[0][:, 1] for each in axis.collections if isinstance(each, LineCollection)]
    np.testing.assert_allclose(whiskers[0], [17, 25])


def test_without_a_band_or_chance_nothing_is_said_of_them():
    drawing = made("accuracy without a band")
    assert BAND not in drawing.caption + "".join(text.get_text() for text in drawing.figure.legends[0].get_texts())
    assert "hance" not in drawing.caption + drawing.alt
    assert drawing.data["chance_percent"].isna().all()


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
    for draw in (lambda: accuracy(folds().head(0)), lambda: completeness(grid().head(0)), lambda: maps(clip().head(0))):
        with pytest.raises(NothingToShow, match="figure"):
            draw()


def test_a_forest_has_a_point_for_each_difference():
    table = differences().assign(marked=lambda t: t["n_per_class"] == 50)
    drawing = forest(table, 0.02, BAND)
    assert drawing.name == "forest_us8k"
    assert [axis.get_title() for axis in drawing.figure.axes] == PAIRS
    wanted = ["dataset", "model", "arm", "n_per_class", "mean_points", "low_points", "high_points", "count", "marked"]
    assert list(drawing.data) == wanted
    for end in ("mean", "low", "high"):
        np.testing.assert_allclose(drawing.data[f"{end}_points"], 100 * table[end])
    for axis, pair in zip(drawing.figure.axes, PAIRS, strict=True):
        points = [line for line in drawn(axis) if line.get_marker() == "o"]
        shown = table[table["arm"] == pair]
        np.testing.assert_allclose([line.get_xdata()[0] for line in points], 100 * shown["mean"])
        hollow = [line.get_markerfacecolor() == "white" for line in points]
        assert hollow == list(~shown["marked"])
        assert [text.get_text() for text in axis.texts] == ["count", *["6"] * 6]
        assert drawn(axis)[0].get_xdata() == [0, 0]
        zone = axis.patches[0].get_extents().transformed(axis.transData.inverted())
        np.testing.assert_allclose([zone.x0, zone.x1], [-2, 2], atol=1e-9)
    rows = drawing.figure.axes[0].get_yticklabels()
    assert [text.get_text() for text in rows] == ["sb_cnn", "n = 1", "n = 5", "n = 50", "timbre", "n = 1", "n = 5", "n = 50"]
    assert [text.get_fontweight() for text in rows[:2]] == ["bold", "normal"]
    assert "log_learn - log_eps: 6 means from -1.0 points (sb_cnn, n = 1) to +20.0 points (timbre, n = 50)" in drawing.alt
    assert "intervals that exclude nought: 4 of 6. Significant: 2 of 6." in drawing.alt


def test_intervals_beyond_the_axis_end_in_arrow_heads():
    table = differences()
    assert not [line for line in drawn(made("forest").figure.axes[0]) if line.get_marker() in ("<", ">")]
    table.loc[2, ["low", "high"]] = [-3, 3]
    drawing = forest(table, 0.02, BAND)
    axis = drawing.figure.axes[0]
    ends = {line.get_marker(): line.get_xdata()[0] for line in drawn(axis) if line.get_marker() in ("<", ">")}
    assert (ends["<"], ends[">"]) == axis.get_xlim()
    assert -10 < ends["<"] < -5  # the other intervals end between -5 and 27 points
    assert 27 < ends[">"] < 32
    assert "Arrow heads" in drawing.caption


def test_completeness_tells_the_counts():
    drawing = made("completeness")
    axis = drawing.figure.axes[0]
    found = {(text.get_position()): text.get_text() for text in axis.texts}
    assert found == {(0, 0): "6/6", (1, 0): "2/6", (0, 1): "0/6", (1, 1): "–", (0, 2): "–", (1, 2): "–"}
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == ["us8k / vgg / log_eps", "us8k / vgg / leaf", "esc50 / timbre / log_learn"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "5"]
    assert [patch.get_hatch() for patch in axis.patches].count("////") == 3
    assert drawing.data["share"].tolist()[:3] == pytest.approx([1, 1 / 3, 0])
    assert "8 of 18 runs are finished; 1 of 3 combinations" in drawing.alt


def test_counts_stand_out_from_their_cells():
    for finished in range(7):
        axis = completeness(grid().head(1).assign(finished=finished)).figure.axes[0]
        ground, ink = (luminance(to_rgb) for to_rgb in (axis.patches[0].get_facecolor(), axis.texts[0].get_color()))
        lighter, darker = max(ground, ink), min(ground, ink)
        assert (lighter + 0.05) / (darker + 0.05) > 4.5  # as WCAG has it


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(to_hex(colour)[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_learned_numbers_are_drawn_by_epoch():
    drawing = made("learned")
    axes = drawing.figure.axes
    assert [(axis.get_ylabel(), axis.get_title()) for axis in axes] == [
        ("sb_cnn\nlog_learn", "alpha"),
        ("", "beta"),
        ("timbre\nlog_learn", "alpha"),
        ("", "beta"),
    ]
    medians = [line.get_ydata() for line in axes[0].lines]
    np.testing.assert_allclose(medians, [[1037, 1038, 1038.99], [1037, 1042, 1046.95]])
    single = [segment for each in axes[0].collections for segment in each.get_segments()]
    assert len(single) == 6
    np.testing.assert_allclose(single[0], [[0, 1036], [100, 1037], [199, 1037.99]])
    assert axes[0].get_ylim() == axes[2].get_ylim()
    drawing.figure.savefig(io.BytesIO())
    assert axes[0].yaxis.get_offset_text().get_text() == ""
    assert "sb_cnn, log_learn, beta: from 1038 to 1040 at n = 1, 1048 at n = 5." in drawing.alt
    medians = drawing.data.query("fold == 'median' and model == 'timbre' and quantity == 'beta' and n_per_class == 5")
    assert list(medians["value"]) == pytest.approx([1038, 1043, 1047.95])
    assert set(medians["runs"]) == {3}


def test_medians_are_over_the_runs_that_got_as_far():
    table = paths(runs=3, ns=[1], quantities=["alpha"]).query("model == 'timbre'")
    table = table[~((table["repeat"] == 3) & (table["epoch"] == 199) | (table["repeat"] == 1) & (table["epoch"] == 100))]
    drawing = learned_scalars(table)
    medians = drawing.data.query("fold == 'median'")
    assert list(medians["runs"]) == [3, 3, 2]
    between = 1036 + 1.99 * 100 / 199  # the first run, on the line from epoch 0 to 199
    expected = [1037, np.median([between, 1038, 1039]), np.mean([1037.99, 1038.99])]
    assert list(medians["value"]) == pytest.approx(expected)


def test_of_many_runs_some_are_drawn_one_by_one():
    drawing = learned_scalars(paths(runs=2 * SINGLE, ns=[5], quantities=["alpha"]))
    assert sum(len(each.get_segments()) for each in drawing.figure.axes[0].collections) == SINGLE
    assert f"{SINGLE} of up to {2 * SINGLE} per n" in drawing.caption
    assert drawing.data.query("fold != 'median'").groupby("model")[["fold", "repeat"]].value_counts().shape == (2 * SINGLE,)
    np.testing.assert_allclose(drawing.figure.axes[0].lines[0].get_ydata()[0], 1036 + (2 * SINGLE - 1) / 2)


def test_filters_before_and_after():
    drawing = made("filters")
    assert drawing.name == "filters_us8k_leaf"
    assert [(axis.get_title(), axis.get_yscale()) for axis in drawing.figure.axes] == [("centre", "log"), ("alpha", "linear")]
    for axis, quantity in zip(drawing.figure.axes, ("centre", "alpha"), strict=True):
        shown = bank([quantity])
        after, before = axis.lines
        np.testing.assert_allclose(after.get_ydata(), shown["after"])
        np.testing.assert_allclose(before.get_ydata(), shown["before"])
        assert (before.get_linestyle(), after.get_linestyle()) == ("--", "-")
        band = axis.collections[0].get_datalim(axis.transData)
        np.testing.assert_allclose([band.y0, band.y1], [shown["low"].min(), shown["high"].max()])
    assert "10 runs" in drawing.caption
    assert "percentile" not in "".join(
        text.get_text() for text in made("filters, eight quantities").figure.legends[0].get_texts()
    )
    pd.testing.assert_frame_equal(drawing.data, bank())
    both = filters(pd.concat([bank(), bank().assign(model="vgg", after=100.0)]))
    assert len(both.figure.axes[0].lines) == 3
    assert {"after, timbre", "after, vgg"} < {text.get_text() for text in both.figure.legends[0].get_texts()}
    negative = filters(bank(["centre"]).assign(low=-1.0))
    assert negative.figure.axes[0].get_yscale() == "linear"


def test_maps_are_drawn_over_seconds():
    drawing = maps(clip())
    images = [axis.images[0] for axis in drawing.figure.axes if axis.images]
    assert len(images) == 2
    for image, (_, rows) in zip(images, clip().groupby("frontend", sort=False), strict=True):
        values = rows.iloc[:, 3:].to_numpy()
        np.testing.assert_array_equal(image.get_array(), values.T)
        assert image.get_extent() == pytest.approx((-0.005, 0.165, -0.5, 7.5))
        assert image.origin == "lower"
        assert image.get_clim() == (values.min(), values.max())
    assert drawing.data.equals(clip())
    assert "leaf: 17 frames of 8 bands" in drawing.alt
