"""What checkpoints' frontends have learned, against closed forms."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from fewshot_audio import compose, config
from fewshot_audio.commands import filters as command
from fewshot_audio.runner import trained_frontends
from fewshot_audio.runner.trained_frontends import Trained, clip_table, filter_tables, trained
from fewshot_audio.training.crop_model import CropModel
from fewshot_audio.training.recipe import recipe_of
from fewshot_audio.training.waveform_network import build_waveform_network
from fewshot_audio.types import ConfigError

RATE, FILTERS = 16000, 40
WORDS = ["dataset=synthetic", "protocol=full", f"sample_rate={RATE}", "n_fft=512", "hop=160"]


def network(frontend="leaf", *words):
    words = [*WORDS, f"n_bands={FILTERS}", f"frontend={frontend}", "model.width=4", *words]
    job = config.job(compose.composed(words))
    made = CropModel(recipe_of(job), ("a", "b"), build_waveform_network(job, "ab"))
    return Trained(frontend, made)


@pytest.fixture
def moved():
    """LEAF of which filter 3 went up by 50 Hz and twice as wide."""
    made = network("leaf", "frontend/engine=exact")
    with torch.no_grad():
        made.frontend.filters.centres[3] += 50 * 2 * math.pi / RATE
        made.frontend.filters.widths[3] /= 2
        made.frontend.compression.alpha[:] = 0.9
    return made


def test_what_moved_is_told_in_hz(moved):
    learned = filter_tables([moved])["learned_filters"].set_index(["quantity", "filter"])
    shift = learned["after"] - learned["before"]
    assert shift["centre"].drop(3).abs().max() == 0
    assert shift["centre"][3] == pytest.approx(50, abs=0.01)
    ratio = learned.loc["bandwidth", "after"] / learned.loc["bandwidth", "before"]
    assert ratio[3] == pytest.approx(2)
    assert learned.loc["alpha", "before"].tolist() == pytest.approx([0.96] * FILTERS)
    assert learned.loc["alpha", "after"].tolist() == pytest.approx([0.9] * FILTERS)


def test_responses_are_as_wide_as_bandwidths_say(moved):
    tables = filter_tables([moved])
    learned = tables["learned_filters"].set_index(["quantity", "filter"])
    responses = tables["frequency_responses"].set_index(["stage", "filter"]).drop(columns="network")
    hz = responses.columns.astype(float).to_numpy()
    for stage in ("before", "after"):
        for number in (3, 20):
            decibels = responses.loc[(stage, number)].to_numpy()
            half = hz[decibels > 20 * math.log10(0.5)]
            step = hz[1] - hz[0]
            width = learned.loc[("bandwidth", number), stage]
            assert len(half) * step == pytest.approx(width, abs=1.5 * step)
            assert half.mean() == pytest.approx(learned.loc[("centre", number), stage], abs=step)


def test_impulse_responses_are_gaussians_on_waves(moved):
    tables = filter_tables([moved])
    learned = tables["learned_filters"].set_index(["quantity", "filter"])
    for number, rows in tables["impulse_responses"].groupby("filter"):
        seconds = rows["ms"] / 1000
        centre, width = (learned.loc[(name, number), "after"] for name in ("centre", "bandwidth"))
        deviation = math.sqrt(2 * math.log(2)) / math.pi / width  # s
        expected = np.exp(-0.5 * (seconds / deviation) ** 2) * np.cos(2 * np.pi * centre * seconds)
        expected /= math.sqrt(2 * math.pi) * deviation * RATE
        np.testing.assert_allclose(rows["after"], expected, atol=1e-3 * expected.max())
        assert rows["centre"].iloc[0] == pytest.approx(centre, rel=1e-3)


def test_a_random_start_is_not_shown():
    tables = filter_tables([network("leaf_random")])
    assert tables["learned_filters"]["before"].isna().all()
    assert set(tables["frequency_responses"]["stage"]) == {"after"}
    assert tables["impulse_responses"]["before"].isna().all()


def test_frontends_without_filters_are_refused():
    with pytest.raises(ConfigError, match="log_eps: LogFixed has no filters"):
        filter_tables([network("log_eps")])


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_a_tone_stands_at_its_frequency(tmp_path, rate):
    """Also beside the log-mel of another rate."""
    made = network("leaf", "frontend/engine=exact", f"frontend.filters.sample_rate={rate}")
    seconds = np.arange(RATE // 2) / RATE
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * seconds), RATE)
    table = clip_table([made], tmp_path / "a.wav")
    parts = dict(list(table.groupby(["frontend", "stage"], sort=False)))
    assert list(parts) == [("log-mel", ""), ("leaf", "before"), ("leaf", "after")]
    for rows in parts.values():
        values = rows.drop(columns=["clip", "frontend", "stage", "hz"]).dropna(axis=1)
        assert (np.diff(values.columns.astype(float)) > 0).all()
        assert values.columns.astype(float)[-1] == pytest.approx(0.5, abs=0.011)
        nearest = (rows["hz"] - 1000).abs().to_numpy().argmin()
        assert values.iloc[:, 10:-10].mean(axis=1).to_numpy().argmax() == nearest


def test_checkpoints_are_named_by_what_differs(monkeypatch):
    run = {"dataset": "birds", "fold": 1, "repeat": 1}
    settings = {"frontend": {"name": "leaf"}, "model": {"name": "vgg"}}
    abouts = {
        "one": SimpleNamespace(run=run, settings=settings),
        "other": SimpleNamespace(run={**run, "dataset": "words", "repeat": 2}, settings=settings),
    }
    monkeypatch.setattr(trained_frontends, "describe", abouts.get)
    monkeypatch.setattr(trained_frontends, "load", lambda folder: folder)
    assert [each.name for each in trained(["one"])] == ["leaf"]
    assert [each.name for each in trained(["one", "other"])] == [
        "birds, repeat 1",
        "words, repeat 2",
    ]


@pytest.mark.slow
def test_the_command_writes_figures_that_are_drawn_again(moved, tmp_path, monkeypatch):
    from fewshot_audio.report.figures import FROM_COMMANDS

    monkeypatch.setattr(trained_frontends, "trained", lambda folders: [moved, network("td_fbanks")])
    command.draw([tmp_path], tmp_path)
    names = {file.stem for file in (tmp_path / "figures").glob("*.csv")}
    assert names == set(FROM_COMMANDS) - {"spectrograms", "before_and_after"}
    for name in names:
        table = pd.read_csv(tmp_path / f"figures/{name}.csv")
        assert FROM_COMMANDS[name](table).data.equals(table)
        assert (tmp_path / f"figures/{name}.pdf").exists()
