"""Sweeps by launchers of Hydra, each really started, with an impossible job among them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from fewshot_audio.runner.store import Store

pytestmark = pytest.mark.slow
RUN = [sys.executable, str(Path(__file__).parents[2] / "scripts/run.py"), "-m"]
QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@pytest.fixture
def settings(synthetic_root, cache):
    """Two short jobs on made-up sounds."""
    data = [
        "dataset=synthetic",
        f"dataset.root={synthetic_root}",
        "dataset.groups=3",
        "dataset.clips_per_class=2",
    ]
    small = [
        "sample_rate=16000",
        "hop=512",
        "model=timbre",
        "method.test_hop=16",
        "method.max_epochs=1",
        "n_per_class=1",
        "repeats=2",
    ]
    return [*data, *small, f"cache={cache}", "results=results"]


@pytest.fixture
def ray_cluster(tmp_path_factory):
    """The address of a cluster of this machine alone, which ends with the test."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [
        str(Path(sys.executable).parent / "ray"),
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=2",
    ]
    options = [
        "--include-dashboard=false",
        f"--temp-dir=/tmp/ray-{os.getpid()}",
    ]  # sockets there: no long names
    log = tmp_path_factory.mktemp("ray") / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*start, *options], stdout=out, stderr=out, env=os.environ | QUIET
        ) as cluster,
    ):
        while "Ray runtime started" not in log.read_text():
            assert cluster.poll() is None, log.read_text()
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
        cluster.send_signal(signal.SIGTERM)


def runs_in_the_end(settings, folder, *launcher):
    """Return the runs after a sweep of four, then of one more with an impossible job.

    Results lie in the folder that the command was started in, wherever a launcher's processes are.
    """

    def run(*more):
        words = [*RUN, *settings, *launcher, *more]
        return subprocess.run(
            words, capture_output=True, text=True, check=False, env=os.environ | QUIET, cwd=folder
        )

    done, results = run("frontend=log_eps,log_learn"), folder / "results"
    assert done.returncode == 0, done.stderr
    found = list(Store(results).records())
    assert (
        sorted(line["identity"]["frontend"]["name"] for line in found)
        == ["log_eps"] * 2 + ["log_learn"] * 2
    )
    for line in found:
        assert line["command"].startswith("python scripts/run.py dataset=synthetic")
        assert f"frontend={line['identity']['frontend']['name']}" in line["command"]
    assert run("frontend=log_eps", "repeats=3", "fold=1,7").returncode == 1
    return len(list(Store(results).records()))


def test_joblib(settings, tmp_path):
    assert (
        runs_in_the_end(settings, tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2") == 5
    )


def test_submitit_on_this_machine_one_at_a_time(settings, tmp_path):
    """No job's runs begin before another one's have ended."""
    assert (
        runs_in_the_end(
            settings,
            tmp_path,
            "hydra/launcher=submitit_local",
            "max_jobs=1",
            "method.max_epochs=100",
        )
        == 5
    )
    spans = defaultdict(list)
    for line in Store(tmp_path / "results").records():
        if line["identity"]["repeat"] <= 2:  # of the first sweep
            spans[line["identity"]["frontend"]["name"]] += [line["started"], line["stopped"]]
    first, second = sorted((min(span), max(span)) for span in spans.values())
    assert first[0] < first[1] <= second[0]


def test_ray(settings, tmp_path, ray_cluster):
    init = [
        f"+hydra.launcher.ray.init.address={ray_cluster}",
        "+hydra.launcher.ray.init.object_store_memory=null",
    ]
    assert runs_in_the_end(settings, tmp_path, "hydra/launcher=ray", *init) == 5
