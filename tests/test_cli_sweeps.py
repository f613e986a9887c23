"""Sweeps by command: what fails before and after the first job, help."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripts import readme

from command_line import run
from fewshot_audio.features import build
from fewshot_audio.features.audio import decode

ROOT = Path(__file__).parents[1]


def test_a_sweep_over_a_missing_dataset_fails_once(command, in_process, tmp_path):
    """It fails before its first job."""
    data = ["dataset=us8k", f"dataset.root={tmp_path}"]
    words = [word for word in command[2:] if not word.startswith("dataset")]
    more = ["frontend=log_eps,log_learn", "fold=1,2"]
    done = in_process(*more, words=["-m", *data, *words])
    assert done.returncode == 1
    assert done.stderr.count("error: dataset.root=") == 1
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_sweep_with_an_impossible_job_says_so_once(in_process, tmp_path):
    done = in_process("-m", "n_per_class=1", "repeats=1", "method.max_epochs=1", "fold=1,7")
    assert done.returncode == 1
    assert done.stderr.endswith("\nerror: fold=7: synthetic has the folds 1, 2, 3\n")
    assert "Error executing job" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "2 jobs: 1 of 1 run finished, 0 failed, 1 job impossible" in done.stdout
    assert done.stdout.endswith(f"next: python scripts/report.py results={tmp_path / 'results'}\n")


def test_a_damaged_record_ends_a_sweep_without_a_traceback(in_process, tmp_path):
    (tmp_path / "results/runs").mkdir(parents=True)
    (tmp_path / "results/runs/x.jsonl").write_text("{\n")
    done = in_process("-m", "n_per_class=1", "repeats=1", "fold=1,2")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()
    assert sum("x.jsonl:1: " in line for line in last) == 2  # of the jobs, of the summary


@pytest.mark.slow
def test_a_sweep_of_impossible_jobs_is_not_proposed_again(in_process):
    done = in_process("-m", "fold=7")
    assert done.returncode == 1
    assert "1 job: 0 of 0 runs finished, 0 failed, 1 job impossible" in done.stdout
    assert done.stdout.endswith("next: change what the errors name\n")


def test_bad_files_are_decoded_and_named_once_in_a_sweep(in_process, tmp_path, monkeypatch):
    for label in ("a", "b"):
        for number in range(4):
            file = tmp_path / "sounds" / label / f"{number}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, np.random.default_rng(number).normal(0, 0.1, 8000), 8000)
    file.write_bytes(file.read_bytes()[:-9000])
    data = ["dataset=folder", f"dataset.root={tmp_path / 'sounds'}", "dataset.split.folds=2"]
    decoded = []
    monkeypatch.setattr(build, "decode", lambda path, *part: decoded.append(path) or decode(path))
    done = in_process(
        "frontend=log_eps,log_learn", "n_per_class=1", words=["-m", *data, "workers=1"]
    )
    assert done.returncode == 1
    assert done.stderr.count("b/3.wav: is truncated") == 1
    assert done.stderr.endswith("2 jobs stopped by 1 error, named above: mend what it names\n")
    assert len(decoded) == 8


def test_an_unfinished_sweep_is_proposed_as_it_was_typed(in_process, tmp_path):
    done = in_process("-m", "n_per_class=1", "repeats=1", "accelerator=gpu")
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("next: python scripts/run.py -m ")
    assert last.endswith(" accelerator=gpu (again: finished runs are kept)")
    assert f" results={tmp_path / 'results'} " in last


@pytest.mark.parametrize("script", ["run", "maps"])
@pytest.mark.slow
def test_help_says_what_a_script_does_and_what_can_be_chosen(script):
    done = run([sys.executable, str(ROOT / f"scripts/{script}.py"), "--help"])
    assert done.returncode == 0, done.stderr
    assert "frontend: efficient_leaf, leaf" in done.stdout
    assert done.stdout.splitlines()[0] != ""


@pytest.mark.slow
@pytest.mark.parametrize("script", ["run", "maps", "report"])
def test_who_reads_help_may_stop(script):
    command = (
        f"{sys.executable} {ROOT / 'scripts'}/{script}.py --help | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = run(["bash", "-c", command])
    assert done.stdout.splitlines()[-1] == "0"
    assert not done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "scripts").glob("*.py")))
def test_help_of_every_script_does_nothing_but_help(script, tmp_path):
    before = {name: (ROOT / name).stat().st_mtime_ns for name in readme.PAGES}
    done = run([sys.executable, str(ROOT / f"scripts/{script}.py"), "--help"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert {name: (ROOT / name).stat().st_mtime_ns for name in before} == before
    assert list(tmp_path.iterdir()) == []
