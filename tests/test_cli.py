"""The command line: exit codes, Ctrl-C, two processes at once."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from command_line import cheap, lines, run
from fewshot_audio.training.methods.supervised import Supervised

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def swept(tmp_path_factory, synthetic_root, cache):
    """A folder with the results of a sweep, the command without -m, and how it ended."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "work").mkdir()
    command = cheap(folder, synthetic_root, cache)
    sweep = [
        "-m",
        *command[2:],
        "frontend=log_eps,log_learn",
        "n_per_class=1",
        "repeats=1,2",
        "method.max_epochs=1",
    ]
    return folder, command, run(command[:2], *sweep, cwd=folder / "work")


def test_a_sweep_runs_every_job_and_writes_nowhere_else(swept):
    folder, _, done = swept
    assert done.returncode == 0, done.stderr
    assert Counter(line["identity"]["frontend"]["name"] for line in lines(folder)) == {
        "log_eps": 2,
        "log_learn": 2,
    }
    assert list((folder / "work").iterdir()) == []
    first, second = done.stdout.splitlines()
    results = folder / "results"
    assert first == f"4 jobs: 4 of 4 runs finished, 0 failed, 0 left; results are in {results}"
    assert second == f"next: python scripts/report.py results={results}"


def test_a_dry_run_says_what_would_be_done(in_process, tmp_path):
    done = in_process("n_per_class=[1,2]", "repeats=3", "dry_run=true")
    assert done.returncode == 0
    assert "synthetic fold 1 timbre log_eps: 6 runs, 0 finished, 6 missing" in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_status_counts_the_runs_of_a_sweep_by_frontend_and_n(swept):
    _, command, _ = swept
    ask = [
        command[0],
        str(ROOT / "scripts/status.py"),
        *command[2:],
        "method.max_epochs=1",
        "frontend=log_eps,log_10000",
    ]
    text = run(ask, "n_per_class=[1,2]", "repeats=2").stdout
    assert "| synthetic | timbre  | log_eps    | 2/2     | 0/2     |" in text
    assert "| synthetic | timbre  | log_10000  | 0/2     | 0/2     |" in text
    assert "2 of 8 runs finished, 0 failed; left for one process: " in text
    assert "6 runs of unknown length" in text


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("model=tmbre", "error: model=tmbre: no such model; did you mean timbre?"),
        (
            "method.epoch=3",
            "method.epoch: no such setting with these choices; did you mean method.max_epochs",
        ),
        ("fold=7", "error: fold=7: synthetic has the folds 1, 2, 3"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(in_process, setting, text):
    done = in_process(setting)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_failed_run_gives_exit_code_1_and_its_reason(in_process, tmp_path, monkeypatch):
    module = tmp_path / "failing.py"
    module.write_text(
        "from fewshot_audio.frontends.base import Frontend\n"
        "class Failing(Frontend):\n"
        "    def compute(self, maps):\n"
        "        raise RuntimeError('out of luck')\n"
    )
    extra = [
        "frontend.name=failing",
        "frontend._target_=failing.Failing",
        "~frontend.alpha",
        "~frontend.beta",
        "~frontend.base",
        "~frontend.n_bands",
    ]
    monkeypatch.syspath_prepend(tmp_path)
    one = [*extra, "n_per_class=1", "repeats=1"]
    done = in_process(*one)
    assert done.returncode == 1
    named = "failed: synthetic fold 1 timbre failing, n 1, repeat 1: RuntimeError: out of luck"
    assert f"{named} (error)" in done.stdout
    assert "Traceback" in done.stderr
    done = in_process(*one, "retry_failed=false")
    assert done.returncode == 1
    assert f"{named} (before, not tried again)" in done.stdout
    assert "Traceback" not in done.stderr


def started(command, *more):
    """A command under way, which hears Ctrl-C also where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_lines(tmp_path, count, process):
    deadline = time.monotonic() + 120
    while len(lines(tmp_path)) < count and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("workers", "sign", "code"),
    [
        pytest.param(1, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(1, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(1, signal.SIGKILL, -9, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGKILL, -9, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_command_keeps_its_finished_runs(
    command, in_process, tmp_path, sign, code, workers
):
    """The same command goes on."""
    long = ["n_per_class=1", "repeats=5", "method.max_epochs=30", f"workers={workers}"]
    process = started(command, *long)
    wait_for_lines(tmp_path, 1, process)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    if code > 0:
        ended = "interrupted" if sign == signal.SIGINT else "terminated"
        assert f"{ended}; finished runs are kept, the same command goes on" in errors
        assert "Traceback" not in errors
    before = lines(tmp_path)
    assert 1 <= len(before) < 5
    again = in_process(*long)
    assert again.returncode == 0, again.stderr
    assert lines(tmp_path)[: len(before)] == before
    assert sorted(line["identity"]["repeat"] for line in lines(tmp_path)) == [*range(1, 6)]


def test_sigterm_drops_the_run_under_way_and_keeps_the_others(in_process, tmp_path, monkeypatch):
    """A cluster sends it again while the command ends; afterwards it does what it did before."""
    batches, before = Supervised.batches, signal.getsignal(signal.SIGTERM)

    def preempted(method, sizes):
        if len(lines(tmp_path)) == 1:
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
        return batches(method, sizes)

    monkeypatch.setattr(Supervised, "batches", preempted)
    done = in_process("n_per_class=1", "repeats=3", "method.max_epochs=2")
    assert done.returncode == 143
    assert done.stderr.endswith("terminated; finished runs are kept, the same command goes on\n")
    assert len(lines(tmp_path)) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_in_a_plan_is_no_traceback():
    interrupted = "cli.sweep_command(lambda sweep: (sweep(), signal.raise_signal(signal.SIGINT)))"
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # also in the background
    plan = f"import signal; from fewshot_audio import cli; {heard}; {interrupted}"
    done = run([sys.executable, "-c", plan], "dataset=synthetic", "model=timbre,vgg")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.slow
def test_two_processes_on_one_job_do_every_run_once(command, tmp_path):
    same = ["n_per_class=[1,2]", "repeats=2", "method.max_epochs=20"]
    processes = [started(command, *same) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(lines(tmp_path)) == 4
    assert len({line["key"] for line in lines(tmp_path)}) == 4


@pytest.mark.slow
def test_tables_come_from_the_store_by_command(swept):
    folder, _, _ = swept
    done = run(
        [
            sys.executable,
            str(ROOT / "scripts/report.py"),
            f"results={folder / 'results'}",
            "show=[tables]",
        ]
    )
    assert done.returncode == 0, done.stderr
    assert "Accuracy of log-EPS and log-learn" in done.stdout


@pytest.mark.slow
def test_splits_are_written_by_command(command, tmp_path):
    export = [
        command[0],
        str(ROOT / "scripts/splits.py"),
        *command[2:],
        "n_per_class=[1,2]",
        "repeats=2",
    ]
    done = run(export, f"splits={tmp_path / 'splits.csv'}")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "splits.csv").read_text().splitlines()) == 1 + 3 * 2 * 5 * (1 + 2)
    used = run(
        command,
        "n_per_class=1",
        "repeats=1",
        "method.max_epochs=1",
        f"splits={tmp_path / 'splits.csv'}",
    )
    assert used.returncode == 0, used.stderr
    assert json.dumps(lines(tmp_path)[0]["identity"]["few_shot_splits"]) != "null"
