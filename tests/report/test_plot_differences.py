"""Figures of differences."""

import numpy as np
from drawings import ACCURACY, PAIRS, answers, difference, differences, drawn, made

from fewshot_audio.report.plots.heat import heat

WRITTEN = ["log-learn − log-EPS", "pcen − log-EPS"]


def test_a_forest_shows_each_difference_sorted_in_groups():
    table = differences().assign(marked=lambda t: t["n_per_class"] == 50)
    drawing = difference(table)
    names = ["dataset", "model", "first", "second", "n_per_class", "mean", "low", "high"]
    assert list(drawing.data) == [*names, "count", "marked", "unit"]
    for end in ("mean", "low", "high"):
        np.testing.assert_allclose(drawing.data[end], 100 * table[end])
    (axis,) = drawing.figure.axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    weights = [text.get_fontweight() for text in axis.get_yticklabels()]
    groups = [f"{model}, n = {n}" for model in ("SB-CNN", "TIMBRE") for n in (1, 5, 50)]
    assert labels == [each for group in groups for each in (group, *reversed(WRITTEN))]
    assert weights == ["bold", "normal", "normal"] * 6
    points = {line.get_ydata()[0]: line for line in drawn(axis) if line.get_marker() == "o"}
    shown = table.sort_values(["model", "n_per_class", "mean"], ascending=[True, True, False])
    places = [place for place, weight in enumerate(weights) if weight == "normal"]
    means = [points[place].get_xdata()[0] for place in places]
    np.testing.assert_allclose(means, 100 * shown["mean"])
    hollow = [points[place].get_markerfacecolor() == "white" for place in places]
    assert hollow == list(~shown["marked"])
    assert [text.get_text() for text in axis.texts] == ["6 pairs"] * 12
    assert drawn(axis)[0].get_xdata() == [0, 0]
    zone = axis.patches[0].get_extents().transformed(axis.transData.inverted())
    np.testing.assert_allclose([zone.x0, zone.x1], [-2, 2], atol=1e-9)
    assert (
        "log-learn − log-EPS: 6 means from -1.0 points (SB-CNN, n = 1) to +20.0 points (TIMBRE, n = 50)"
        in drawing.alt
    )
    assert "intervals that exclude zero: 4 of 6. Gains or losses: 2 of 6." in drawing.alt


def test_one_pair_is_named_at_the_axis_and_one_run_is_a_pair():
    (axis,) = difference(differences(PAIRS[:1]).assign(count=1)).figure.axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == ["SB-CNN", "n = 1", "n = 5", "n = 50", "TIMBRE", "n = 1", "n = 5", "n = 50"]
    assert axis.get_xlabel() == f"{WRITTEN[0]} (points)"
    assert {text.get_text() for text in axis.texts} == {"1 pair"}


def test_a_map_of_differences_has_a_number_for_each_model_and_n():
    table = differences().assign(marked=lambda t: t["n_per_class"] == 50)
    drawing = heat(table, ACCURACY)
    for axis, pair in zip(drawing.figure.axes, PAIRS, strict=False):
        own = table[table["first"] == pair.split()[0]]
        wide = 100 * own.pivot(index="model", columns="n_per_class", values="mean")
        image = axis.images[0]
        np.testing.assert_allclose(image.get_array(), wide)
        assert image.get_clim() == (-drawing.data["mean"].max(), drawing.data["mean"].max())
        shown = {text.get_position()[::-1]: text for text in axis.texts}
        numbers = [
            [float(shown[row, n].get_text().replace("−", "-")) for n in range(3)]
            for row in range(2)
        ]
        np.testing.assert_allclose(numbers, wide, atol=0.05)
        assert [shown[0, n].get_fontweight() for n in range(3)] == ["normal", "normal", "bold"]


def test_intervals_beyond_the_axis_end_in_arrow_heads():
    table = differences()
    assert not [
        line for line in drawn(made("forest").figure.axes[0]) if line.get_marker() in ("<", ">")
    ]
    table.loc[2, ["low", "high"]] = [-3, 3]
    drawing = difference(table)
    axis = drawing.figure.axes[0]
    ends = {
        line.get_marker(): line.get_xdata()[0]
        for line in drawn(axis)
        if line.get_marker() in ("<", ">")
    }
    assert (ends["<"], ends[">"]) == axis.get_xlim()
    assert -10 < ends["<"] < -5  # the other intervals end between -5 and 27 points
    assert 27 < ends[">"] < 32
    assert "Arrow heads" in drawing.caption


def test_confusion_is_drawn_class_by_answer():
    drawing = made("confusion")
    image = drawing.figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.diag(image)[1:], range(10, 100, 10))
    np.testing.assert_allclose(image[1:, 0], range(90, 0, -10))
    assert drawing.data.equals(answers(drawing.data["frontend"].unique()))
    assert "log-EPS: best recall 90 % (class_9_named), worst 0 % (class_0_named)." in drawing.alt
