"""Kill commands at random moments; check that nothing is lost, doubled, changed or left behind.

python scripts/soak.py                             100 kills, about an hour on two cores
python scripts/soak.py --kills 10 --seed 3 --out FILE.json

In rounds, each in new folders: the synthetic dataset is written, feature caches are built, two
workers train stacks of few-shot runs, then whole-data runs with checkpoints, tables are written.
Each command is killed (kill -9) again and again, alone, with all that it started, or one of its
workers, until it comes to its end. Records must then equal those of commands that nobody disturbed,
but for times. Linux alone.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fewshot_audio.commands import report, run
from fewshot_audio.files import atomic_write
from fewshot_audio.runner.environment import provenance

DATA = ["dataset=synthetic", "dataset.groups=3", "dataset.clips_per_class=4", "accelerator=cpu"]
SMALL = ["sample_rate=8000", "n_fft=512", "hop=256", "features=torchaudio", "model=timbre"]
ALL = [*DATA, *SMALL, "frontend=log_learn", "workers=2"]
FEW = ["n_per_class=[1,2]", "repeats=4", "method.max_epochs=20", "method.test_hop=16", "stack=2"]
WHOLE = ["protocol=full", "method.max_epochs=20", "method.batch_size=16", "checkpoint=true"]
STEPS = {"few": [*ALL, *FEW], "whole": [*ALL, *WHOLE], "report": ["show=[tables,page]"]}
KILLS = {"few": 6, "whole": 4, "report": 1}  # of each round; then a command comes to its end
CACHES = {"few": 1, "whole": 2}  # that are there, after the dataset, once a step trains
TARGETS, WEIGHTS = ("command", "worker", "all"), (5, 3, 2)
OTHER_EACH_TIME = ("started", "stopped", "seconds", "command", "settings")
ORPHAN_S = 30.0  # in which what a killed command has started must end
FAULTS = ("lost", "doubled", "different", "orphans", "stale_locks", "left_over")


def begin(step: str, folder: Path, *more: str) -> int:
    """Start a step's command in a process group of its own; return its process."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    os.setsid()
    log = os.open(folder / f"{step}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    where = [f"results={folder / 'results'}", f"cache={folder / 'cache'}"]
    script = report if step == "report" else run
    sys.argv = [str(script.__file__), *STEPS[step], *more, *where]
    code = 1
    try:
        script.command()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        os._exit(code)


def started_by(session: int) -> Iterator[int]:
    """Yield the processes of a session that have not ended."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state != "Z":
                yield int(stat.parent.name)


def finished(folder: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a results folder that are records of finished runs."""
    texts = [file.read_bytes() for file in sorted(folder.glob("results/runs/*.jsonl"))]
    lines = [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]
    return [line for line in lines if line["status"] == "finished"]


def results_of(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return what must be the same of finished runs, by key and size of stack."""
    return {
        (each["key"], each["stack_size"]): {
            name: each[name] for name in each.keys() - set(OTHER_EACH_TIME)
        }
        for each in finished(folder)
    }


class Soak:
    """Kills that are drawn by dice, with counts and faults; each round has a folder."""

    def __init__(self, folder: Path, kills: int, dice: random.Random):
        self.folder, self.wanted, self.dice = folder, kills, dice
        self.kills: Counter[str] = Counter()
        self.targets: Counter[str] = Counter()
        self.counts: Counter[str] = Counter(dict.fromkeys(FAULTS, 0))
        self.spans: dict[str, float] = {}  # seconds of undisturbed commands
        self.left: dict[str, int] = {}  # kills of a step in the round

    def undisturbed(self) -> None:
        """Do every step once, and once more what stacks that are halved must come to."""
        for name, size in (("undisturbed", 2), ("single", 1)):
            (self.folder / name).mkdir()
            if size == 1:
                (self.folder / name / "cache").symlink_to(self.folder / "undisturbed/cache")
            for step in STEPS if size == 2 else ["few"]:
                start = time.monotonic()
                process = begin(step, self.folder / name, *(["stack=1"] if size == 1 else []))
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                if code != 0:
                    sys.exit(f"the undisturbed command failed: {self.folder / name / step}.log")
                self.spans.setdefault(step, time.monotonic() - start)
        self.expected = results_of(self.folder / "single") | results_of(self.folder / "undisturbed")

    def round(self) -> None:
        """Do every step in new folders, killed until all kills are done, and compare."""
        folder = self.folder / f"round{self.counts['rounds']}"
        folder.mkdir()
        self.counts["rounds"] += 1
        for step in STEPS:
            self.left[step] = min(KILLS[step], self.wanted - self.kills.total())
            while not self._attempt(step, folder):
                pass
        self._compare(folder)
        if not any(self.counts[fault] for fault in FAULTS):
            shutil.rmtree(folder)

    def _attempt(self, step: str, folder: Path) -> bool:
        """Start a command and kill it or its workers; return whether it came to its end."""
        before = {each["key"] for each in finished(folder)}
        if any(folder.glob("results/unfinished/*.ckpt")):
            self.counts["taken_up"] += 1
        process, code, killed = begin(step, folder), None, False
        while code is None and self.left[step] and not killed:
            until = time.monotonic() + self.spans[step] * self.dice.random() ** 2
            while code is None and time.monotonic() < until:
                time.sleep(0.02)
                code = ended(process)
            if code is None:
                killed = self._kill(step, folder, process)
        if code is None:
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        self._check(folder, process, before)
        if code != 0 and not killed:
            self.counts["ended_with_an_error"] += 1  # as where a worker was killed
        return code == 0

    def _kill(self, step: str, folder: Path, process: int) -> bool:
        """Kill a command, one of its workers or all; return whether the command ends by it."""
        workers = [each for each in started_by(process) if each != process]
        (target,) = self.dice.choices(TARGETS, WEIGHTS)
        target = target if workers else "command"
        written = len(list(folder.glob("cache/*/index.json")))
        phase = step if written >= CACHES.get(step, 0) else "cache"
        with suppress(ProcessLookupError):
            if target == "all":
                os.killpg(process, signal.SIGKILL)
            else:
                victim = process if target == "command" else self.dice.choice(workers)
                os.kill(victim, signal.SIGKILL)
            self.kills[phase] += 1
            self.targets[target] += 1
            self.left[step] -= 1
            print(f"{self.kills.total()} of {self.wanted}: {target}, {phase}", flush=True)
        return target != "worker"

    def _check(self, folder: Path, process: int, before: set[str]) -> None:
        """Count what a command has left that is no more, and the runs that are gone."""
        deadline = time.monotonic() + ORPHAN_S
        while (left := list(started_by(process))) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.counts["orphans"] += len(left)
        for name in left:
            os.kill(name, signal.SIGKILL)
        locks = [*folder.rglob("*.lock"), *folder.rglob(".lock-*"), *folder.glob("cache/*/lock")]
        self.counts["stale_locks"] += sum(map(is_held, locks))
        self.counts["lost"] += len(before - {each["key"] for each in finished(folder)})

    def _compare(self, folder: Path) -> None:
        """Compare a round that is through with the undisturbed commands."""
        keys = Counter(each["key"] for each in finished(folder))
        wanted = {key for key, _ in self.expected}
        self.counts["runs"] += len(wanted)
        self.counts["lost"] += len(wanted - keys.keys())
        self.counts["doubled"] += sum(keys.values()) - len(keys)
        found = results_of(folder).items()
        self.counts["different"] += sum(self.expected.get(key) != each for key, each in found)
        table = "results/tables/accuracy.csv"
        texts = [(each / table).read_bytes() for each in (folder, self.folder / "undisturbed")]
        if texts[0] != texts[1]:
            self.counts["different"] += 1
        for left_over in ("results/unfinished/*", "cache/*/part-*"):
            self.counts["left_over"] += len(list(folder.glob(left_over)))


def ended(process: int) -> int | None:
    """Return the exit code of a process of this one, None while it works."""
    done, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def is_held(file: Path) -> bool:
    """Return whether somebody holds a lock."""
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True


def main() -> int:
    """Do the kills, write what they came to; return 0 where there is no fault, else 1."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="of moments and targets; drawn")
    parser.add_argument("--out", type=Path, default=Path("results/soak.json"))
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    folder, start = Path(tempfile.mkdtemp(prefix="soak-")), time.monotonic()
    print(f"seed {seed}, {arguments.kills} kills, in {folder}", flush=True)
    import fewshot_audio.report.figures
    import fewshot_audio.runner.execute  # noqa: F401  # once: commands are forks of this process

    soak = Soak(folder, arguments.kills, random.Random(seed))
    soak.undisturbed()
    while soak.kills.total() < arguments.kills:
        soak.round()
    code = {name: provenance()[name] for name in ("commit", "dirty", "machine")}
    minutes = round((time.monotonic() - start) / 60, 1)
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", **code, "seed": seed, "minutes": minutes}
    result |= {"kills": soak.kills.total(), "cores": os.cpu_count()}
    result |= {"by_phase": dict(soak.kills), "by_target": dict(soak.targets), **soak.counts}
    with atomic_write(arguments.out) as draft:
        draft.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    if faults := [fault for fault in FAULTS if soak.counts[fault]]:
        print(f"faults: {', '.join(faults)}; the folders are kept in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
