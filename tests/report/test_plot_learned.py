"""Figures of what frontends learn and of their maps."""

import librosa
import numpy as np
import pandas as pd
import pytest
from drawings import clip, filter_bank, histories, made

from fewshot_audio.report.figures import medians
from fewshot_audio.report.plots.curves import by_epoch
from fewshot_audio.report.plots.filters import filters
from fewshot_audio.report.plots.spectrograms import spectrograms


def test_learned_numbers_are_no_shares():
    drawing = made("learned")
    axes = drawing.figure.axes
    assert [axis.get_title() for axis in axes] == [
        f"{model}, n = {n}" for _ in "ab" for model in ("SB-CNN", "TIMBRE") for n in (1, 5)
    ]
    assert [axis.get_ylabel() for axis in axes if axis.get_ylabel()] == [
        *["alpha"] * 2,
        *["beta"] * 2,
    ]
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), [1037, 1042, 1046.95])
    assert drawing.name == "learned"
    between = histories(runs=1, ns=[1]).assign(value=0.5)  # as a share might be
    assert set(by_epoch(between, "learned", "Learned numbers").data["median"]) == {0.5}


def test_bands_without_centres_fill_the_axis_of_hz():
    log_mel, *_, wavegram = made("word, bands without centres").figure.axes[:6]
    edges = wavegram.collections[0].get_coordinates()[:, 0, 1]
    np.testing.assert_allclose(np.diff(edges), (edges[-1] - edges[0]) / 40)
    np.testing.assert_allclose(edges[[0, -1]], log_mel.get_ylim())


def test_filters_before_and_after():
    drawing = made("filters")
    assert drawing.name == "filters_us8k_leaf"
    assert [(axis.get_title(), axis.get_yscale()) for axis in drawing.figure.axes] == [
        ("centre", "log"),
        ("alpha", "linear"),
    ]
    for axis, quantity in zip(drawing.figure.axes, ("centre", "alpha"), strict=True):
        shown = filter_bank([quantity])
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
    pd.testing.assert_frame_equal(drawing.data, filter_bank())
    both = filters(pd.concat([filter_bank(), filter_bank().assign(model="vgg", after=100.0)]))
    assert len(both.figure.axes[0].lines) == 3
    assert {"after, TIMBRE", "after, VGG"} < {
        text.get_text() for text in both.figure.legends[0].get_texts()
    }
    negative = filters(filter_bank(["centre"]).assign(low=-1.0))
    assert negative.figure.axes[0].get_yscale() == "linear"


def test_spectrograms_are_drawn_over_seconds_and_hertz():
    names = ["log_eps", "log_learn", "leaf"]
    drawing, tables = spectrograms(clip(names)), dict(list(clip(names).groupby("frontend")))
    panels = [axis for axis in drawing.figure.axes if axis.get_title()]
    values = {name: table.iloc[1:, 4:].to_numpy() for name, table in tables.items()}
    assert [axis.get_title() for axis in panels] == ["log-EPS", "log-learn", "LEAF"]
    logs = np.concatenate([values["log_eps"], values["log_learn"]])
    for axis, name in zip(panels, names, strict=True):
        (image,) = axis.collections
        np.testing.assert_array_equal(image.get_array(), values[name].T)
        assert axis.get_xlim() == pytest.approx((-0.005, 0.165))
        scale = values["leaf"] if name == "leaf" else logs  # one for those of a unit
        assert image.get_clim() == (scale.min(), scale.max())
        names_of_ticks = [text.get_text() for text in axis.get_yticklabels()]
        ticks = dict(zip(names_of_ticks, axis.get_yticks(), strict=True))
        assert list(ticks) == ["200", "500", "1,000", "2,000", "4,000", "8,000"]
        assert ticks["1,000"] == pytest.approx(librosa.hz_to_mel(1000, htk=True))
        mel = librosa.hz_to_mel(tables[name].iloc[0, 4:].to_numpy(float), htk=True)
        edges = image.get_coordinates()[:, 0, 1]
        np.testing.assert_allclose(edges[1:-1], (mel[1:] + mel[:-1]) / 2)
    assert drawing.data.equals(clip(names))
    assert "us8k, a.wav, siren" in drawing.caption
    assert "LEAF: 17 frames of 8 bands" in drawing.alt


def test_spectrograms_of_bands_in_another_order_are_drawn_in_that_of_their_centres():
    table = clip(["leaf"])
    bands = [str(band) for band in range(8)]
    turned = table.rename(columns=dict(zip(bands, reversed(bands), strict=True)))
    images = [
        spectrograms(each).figure.axes[0].collections[0] for each in (table, turned[table.columns])
    ]
    np.testing.assert_array_equal(*[each.get_array() for each in images])
    np.testing.assert_array_equal(*[each.get_coordinates() for each in images])


def test_spectrograms_of_bands_without_centres_are_drawn_by_band():
    table = clip(["leaf"])
    table.iloc[0, 4:] = np.nan
    axis = spectrograms(table).figure.axes[0]
    assert (axis.get_ylabel(), axis.get_ylim()) == ("band", (-0.5, 7.5))
    assert axis.collections[0].get_array().shape == (8, 17)


def test_filters_of_another_number_are_left_out_of_medians():
    def of(count, shift):
        sides = {"before": [1.0] * count, "after": [1.0 + shift] * count}
        return {"frontend_diagnostics": {"filters": {"centre": sides}}}

    run = ("us8k", "vgg", "leaf", 5, 1)
    table = medians([((*run, 1), of(3, 9)), ((*run, 2), of(2, 1)), ((*run, 3), of(2, 3))])
    assert table["after"].tolist() == [3, 3]
    assert set(table["runs"]) == {2}
