"""One clip under each frontend, by command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_audio import config
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
        config.job(config.composed([*data, "sample_rate=16000", "hop=512", f"frontend={name}"]))
        for name in FRONTENDS
    ]
    table = spectrograms(jobs, dataset)
    (path,) = table["clip"].str.removeprefix("synthetic, ").unique()
    frames = 1 + len(load(dataset.root / path, 16000)) // 512
    assert path in [clip.path for clip in dataset.fold(1).test]
    assert table.groupby("frontend").size().to_dict() == dict.fromkeys(FRONTENDS, frames)
    assert table.columns.tolist() == ["frontend", "clip", "seconds", *map(str, range(128))]
    assert table["seconds"].max() == pytest.approx((frames - 1) * 512 / 16000, abs=1e-4)
    maps = {name: rows.iloc[:, 3:].to_numpy() for name, rows in table.groupby("frontend")}
    power = 10 ** maps["log_eps"]
    loud = power > 1e-3 * power.max()
    assert np.log(10000 * power[loud] + 1) == pytest.approx(maps["log_10000"][loud], rel=1e-3)


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
