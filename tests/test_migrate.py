"""Records of the first version, carried over."""

import hashlib
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from scripts import migrate
from scripts.migrate import main

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.files import sha256
from fewshot_audio.runner.plan import Planner
from fewshot_audio.runner.store import Store
from fewshot_audio.types import StoreError

MEL = {"sample_rate": 16000, "n_fft": 1024, "hop": 512, "pad_mode": "reflect"}
METHOD = {"epochs": 2, "batch_size": 256, "decay": 0.001, "test_hop": 16, "reestimate_bn": True}
LOG = {"alpha": 1, "beta": 2.220446049250313e-16, "base": 10}
RESULT = {
    "status": "finished",
    "started": "2026-11-21T01:13:05+00:00",
    "seconds": {"draw": 0.5, "train": 1.5},
    "accuracy": 0.3,
    "correct": 3,
    "stored_bn": {"accuracy": 0.2, "correct": 2, "clips": 10, "nan_clips": 0},
    "clips": 10,
    "nan_clips": 0,
    "confusion": [[2, 0, 0, 0, 0]] * 5,
    "epochs": 2,
    "path": {},
    "draw": "e9514321810ada77",
    "training_clips": [1, 1, 1, 1, 1],
}


@pytest.fixture
def overrides(tmp_path):
    sizes = ["dataset.groups=3", "dataset.clips_per_class=2"]
    return ["dataset=synthetic", *sizes, f"dataset.root={tmp_path / 'data'}", f"cache={tmp_path}"]


@pytest.fixture
def dataset(overrides):
    component = config.job(compose.composed(overrides)).dataset
    return build(component, Dataset, name=component.name)


def old_record(dataset, fold=2, repeat=2, **result):
    """A record of the first version."""
    clips = [
        [clip.path, clip.label, clip.fold, clip.group, sha256(dataset.root / clip.path)]
        for clip in dataset.clips
    ]
    bank = {"transform": {"name": "MelTransform", **MEL}, "clips": clips}
    fit = {"name": "supervised", "target": "x.Fit", "learning_rate": 0.1, "clip_norm": 5, **METHOD}
    identity = {
        "dataset": {"name": "synthetic"},
        "bank": hashlib.sha256(json.dumps(bank, sort_keys=True).encode()).hexdigest()[:16],
        "mel": MEL,
        "fold": fold,
        "model": {"name": "timbre", "target": "x.Timbre"},
        "frontend": {"name": "log_eps", "target": "x.LogFixed", **LOG},
        "fit": fit,
        "seed": 0,
        "draws": None,
        "n_per_class": 1,
        "repeat": repeat,
    }
    return {"key": f"old{fold}{repeat}", "identity": identity, **RESULT, **result}


@pytest.fixture
def results(dataset, tmp_path):
    """A folder with one record of the first version."""
    return stored(tmp_path / "results", [old_record(dataset)])


def stored(folder, records):
    """A results folder of records."""
    file = folder / "runs/old.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in records))
    return folder


def test_record_becomes_that_of_the_same_settings(results, overrides):
    main(results, overrides)
    settings = ["model=timbre", "frontend=log_eps", "fold=2", "n_per_class=1", "repeats=2"]
    settings += [f"{name}={value}" for name, value in MEL.items()]
    settings += ["method.max_epochs=2", "method.test_hop=16", "method.reestimate_batch_norm=true"]
    cfg = compose.composed([*overrides, *settings])
    spec = Planner().specs(config.job(cfg), config.machine(cfg))[1]
    (record,) = Store(results).records()
    assert record["where"] == f"{Store(results).file_of(spec)}:1"
    assert (record["key"], record["identity"]) == (spec.key, spec.identity)
    assert record["metrics"] == {"accuracy": RESULT["accuracy"]}
    assert record["metrics_stored_batch_norm"] == {"accuracy": RESULT["stored_bn"]["accuracy"]}
    assert record["confusion_matrix"] == RESULT["confusion"]
    assert record["clips_per_class"] == RESULT["training_clips"]
    assert (record["few_shot_split"], record["history"]) == (RESULT["draw"], RESULT["path"])
    assert (record["test_clips"], record["unscored_clips"], record["epochs"]) == (10, 0, 2)
    assert record["stopped"] == "2026-11-21T01:13:07+00:00"
    with pytest.raises(StoreError, match="has a schema; was this folder migrated before"):
        main(results, overrides)


def test_migrated_tables_have_the_numbers_of_before(dataset, overrides, tmp_path):
    """Against pandas on the records as they were."""
    shares = {(1, 1): 0.3, (1, 2): 0.45, (2, 1): 0.15, (2, 2): 0.65}
    old = [old_record(dataset, *run, accuracy=share) for run, share in shares.items()]
    folder = stored(tmp_path / "results", old)
    main(folder, overrides)
    words = ["+report=accuracy", f"results={folder}", "partial=true"]
    command = [sys.executable, str(Path(migrate.__file__).parent / "report.py"), *words]
    subprocess.run(command, check=True, capture_output=True)
    runs = pd.DataFrame([{**each["identity"], "accuracy": each["accuracy"]} for each in old])
    of_folds = runs.groupby("fold")["accuracy"]
    (row,) = pd.read_csv(folder / "tables/accuracy.csv").to_dict("records")
    assert row["mean"] == pytest.approx(of_folds.mean().mean(), rel=1e-12)
    assert (row["count"], row["folds"]) == (4, 2)


def test_record_of_other_audio_is_refused_and_kept(results, overrides, dataset):
    path = dataset.root / dataset.clips[0].path
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples / 2, rate)
    before = (results / "runs/old.jsonl").read_bytes()
    with pytest.raises(StoreError, match="are not those that .* made from; nothing was changed"):
        main(results, overrides)
    assert [file.read_bytes() for file in (results / "runs").glob("*.jsonl")] == [before]


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), ([], 2)])
def test_its_use_is_explained(monkeypatch, capsys, words, code):
    monkeypatch.setattr(sys, "argv", ["migrate.py", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(migrate.__file__, run_name="__main__")
    assert ended.value.code == code
    assert "usage: migrate.py [-h] folder settings" in "".join(capsys.readouterr())
