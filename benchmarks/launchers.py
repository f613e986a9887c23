"""What a launcher costs: sweeps of a few and of more short jobs, one job at a time."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import machine, seconds

SCRIPT = Path(__file__).parents[1] / "scripts/run.py"
JOB = [
    *("dataset=synthetic", "dataset.clips_per_class=4", "model=timbre", "frontend=log_eps"),
    *("n_per_class=1", "repeats=1", "method.max_epochs=1", "accelerator=cpu", "threads=1"),
]
RAY = "+hydra.launcher.ray.init."
LAUNCHERS = {  # by name: what is added to a sweep
    "none": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"],
    "submitit_local": [
        "hydra/launcher=submitit_local",
        "max_jobs=1",
        "hydra.launcher.timeout_min=60",
    ],
    "ray": ["hydra/launcher=ray", f"{RAY}num_cpus=1", f"{RAY}object_store_memory=100000000"],
}
JOBS = (2, 6)


def launchers(rounds: int) -> dict[str, Any]:
    """Return the seconds of sweeps of so many jobs with each launcher, medians over rounds."""
    taken: dict[str, list[list[float]]] = {name: [] for name in LAUNCHERS}
    with TemporaryDirectory() as folder:
        _sweep(Path(folder), "none", 1, "built")  # the feature cache is not what is measured
        for number in range(rounds):
            for name, jobs in taken.items():
                at = f"{name}-{number}"
                jobs.append([_sweep(Path(folder), name, n, f"{at}-{n}") for n in JOBS])
    found = {}
    for name, rows in taken.items():
        few, more = (median(row[place] for row in rows) for place in range(2))
        each = (more - few) / (JOBS[1] - JOBS[0])
        found[name] = {"start_s": few - JOBS[0] * each, "job_s": each, "sweeps_s": rows}
    return {"bench": "launchers", "machine": machine(1), "jobs": JOBS, "launchers": found}


def _sweep(folder: Path, launcher: str, jobs: int, results: str) -> float:
    """Return the seconds of a sweep over seeds."""
    seeds = ",".join(map(str, range(jobs)))
    kept = [f"cache={folder / 'cache'}", f"results={folder / results}", f"seed={seeds}"]
    command = [sys.executable, str(SCRIPT), "-m", *JOB, *kept, *LAUNCHERS[launcher]]
    own = {**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    run = {"env": own, "check": True, "capture_output": True}
    return seconds(lambda: subprocess.run(command, **run))  # type: ignore[call-overload]
