"""One clip under each frontend, by command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_audio import compose, config
from fewshot_audio.features.audio import load
from fewshot_audio.runner.spectrograms import spectrograms

ROOT = Path(__file__).parents[2]
FRONTENDS = ["log_eps", "log_10000", "mel_pcen", "leaf"]


def test_a_clip_under_each_frontend_has_as_many_frames_and_bands(job, dataset, synthetic_root):
    data = [
        "dataset=synthetic",
        f"dataset.root={synthetic_root}",
        "dataset.groups=3",
        "dataset.clips_per_class=2",
    ]
    jobs = [
        config.job(compose.composed([*data, "sample_rate=16000", "hop=512", f"frontend={name}"]))
        for name in FRONTENDS
    ]
    table = spectrograms(jobs, dataset)
    ((name, path, label),) = table["clip"].str.split(", ").drop_duplicates()
    assert name == "synthetic"
    (clip,) = [each for each in dataset.fold(1).test if each.path == path]
    assert label == dataset.classes[clip.label]
    frames = 1 + len(load(dataset.root / path, 16000)) // 512
    assert table["frontend"].drop_duplicates().tolist() == FRONTENDS  # the fixed ones first
    assert table.groupby("frontend").size().to_dict() == dict.fromkeys(FRONTENDS, 1 + frames)
    assert table.columns.tolist() == ["frontend", "clip", "unit", "seconds", *map(str, range(128))]
    units = table.groupby("frontend")["unit"].first().to_dict()
    logs = {"log_eps": "log10 of power", "log_10000": "ln of power"}
    assert units == logs | {"mel_pcen": "mel_pcen", "leaf": "leaf"}
    centres = table[table["seconds"].isna()].set_index("frontend").iloc[:, 3:].astype(float)
    assert centres.loc["log_eps"].tolist() == centres.loc["mel_pcen"].tolist()
    assert centres.loc["log_eps"].tolist() == pytest.approx(slaney_centres(), rel=1e-3)
    assert 40 < centres.loc["leaf"].iloc[0] < centres.loc["leaf"].iloc[-1] < 8000
    table = table.dropna(subset="seconds")
    assert table["seconds"].max() == pytest.approx((frames - 1) * 512 / 16000, abs=1e-4)
    maps = {name: rows.iloc[:, 4:].to_numpy() for name, rows in table.groupby("frontend")}
    power = 10 ** maps["log_eps"]
    loud = power > 1e-3 * power.max()
    assert np.log(10000 * power[loud] + 1) == pytest.approx(maps["log_10000"][loud], rel=1e-3)


def test_frames_lie_where_the_frontend_puts_them(dataset, synthetic_root):
    """LEAF at a rate and a hop of its own, 64 ms between frames instead of 32."""
    words = ["dataset=synthetic", f"dataset.root={synthetic_root}", "sample_rate=16000", "hop=512"]
    own = ["frontend=leaf", "frontend.filters.sample_rate=8000", "frontend.hop=512"]
    jobs = [config.job(compose.composed([*words, *more])) for more in (["frontend=log_eps"], own)]
    seconds = spectrograms(jobs, dataset).dropna(subset="seconds").groupby("frontend")["seconds"]
    assert seconds.nth(1).tolist() == [0.032, 0.064]
    assert seconds.max()["leaf"] == pytest.approx(seconds.max()["log_eps"], abs=0.064)


def slaney_centres():
    """Centres of Slaney's 128 bands up to 8 kHz, by hand: 15 mel at 1 kHz, then a factor a mel."""
    top = 15 + 27 * np.log(8) / np.log(6.4)
    mel = np.linspace(0, top, 130)[1:-1]
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


@pytest.mark.slow
def test_they_are_drawn_by_command(tmp_path, synthetic_root):
    data = [
        "dataset=synthetic",
        f"dataset.root={synthetic_root}",
        "dataset.groups=3",
        "dataset.clips_per_class=2",
    ]
    command = [
        sys.executable,
        "scripts/maps.py",
        *data,
        "sample_rate=16000",
        "hop=512",
        f"results={tmp_path}",
    ]
    done = subprocess.run(
        [*command, "frontend=log_eps,log_10000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"{tmp_path}/figures/spectrograms.{kind}" for kind in ("png", "pdf", "csv")
    ]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "spectrograms.csv",
        "spectrograms.pdf",
        "spectrograms.png",
    ]
    assert set(pd.read_csv(tmp_path / "figures/spectrograms.csv")["frontend"]) == {
        "log_eps",
        "log_10000",
    }
