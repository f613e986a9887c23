"""What a job says: what is to do, what failed, how well its runs did."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from fewshot_audio.progress import counted
from fewshot_audio.record_fields import FAILED, UNBOUNDED, Record
from fewshot_audio.runner.attempt import OpenJob
from fewshot_audio.runner.environment import CHANGED, code_version, provenance
from fewshot_audio.runner.plan import title
from fewshot_audio.types import Job, RunSpec

log = logging.getLogger(__name__)


def log_plan(
    opened: OpenJob,
    unfinished: Sequence[RunSpec],
    todo: Sequence[RunSpec],
    finished: Mapping[str, Record],
) -> None:
    """Log how many runs are to do, and which finished ones are of other code."""
    name, asked, left = title(opened.job), len(opened.specs), len(unfinished) - len(todo)
    text = f"{name}: {counted(asked, 'run')}, {asked - len(unfinished):,} finished"
    log.info("%s", f"{text}, {left:,} that failed are left" if left else text)
    present = code_version(provenance())
    others: Counter[str] = Counter()
    for spec in opened.specs:
        if spec.key in finished:
            version = code_version(finished[spec.key])
            if version != present or version.endswith(CHANGED):  # a key tells settings, not code
                others[version] += 1
    if others:
        counts = ", ".join(f"{count} at {version}" for version, count in sorted(others.items()))
        log.info("finished by other code: %s; remove their records to do them again", counts)


def log_problems(job: Job, record: Record) -> None:
    """Log that a run failed, or that clips have no score."""
    name = run_title(job, record)
    if record["status"] == FAILED:
        cause, error = record["cause"], record["error"]
        log.error("%s failed (%s): %s\n%s", name, cause, error, record["traceback"])
    elif record["unscored_clips"]:
        log.warning("%s: no finite score for %d clips", name, record["unscored_clips"])


def failure(job: Job, record: Record) -> str:
    """Return in one line which run failed and why."""
    reason = record.get("cause", "before, not tried again")
    return f"failed: {run_title(job, record)}: {record['error']} ({reason})"


def run_title(job: Job, record: Record) -> str:
    """Return a run in a few words."""
    identity = record["identity"]
    return f"{title(job)}, n {identity['n_per_class'] or 'all'}, repeat {identity['repeat']}"


def log_trained(job: Job, records: Sequence[Record], folder: Path) -> None:
    """Log how many runs have finished, where they are stored, and how good they are."""
    if records:
        log.info("%s: %d trained, in %s; mean %s", title(job), len(records), folder, means(records))


def means(records: Sequence[Record]) -> str:
    """Return the mean at each n of the accuracy, or of the first number where there is none."""
    numbers = [
        name for name, value in records[0]["metrics"].items() if isinstance(value, int | float)
    ]
    if not numbers:
        return "metrics: none"
    name, values = "accuracy" if "accuracy" in numbers else numbers[0], defaultdict(list)
    for record in records:
        value = record["metrics"].get(name)
        if isinstance(value, int | float):
            values[record["identity"]["n_per_class"] or "all"].append(value)
    is_share = name not in UNBOUNDED and max(map(max, values.values())) <= 1
    texts = [
        f"n = {n} " + (f"{100 * fmean(each):.1f} %" if is_share else f"{fmean(each):.3g}")
        for n, each in values.items()
    ]
    return f"{name}: {', '.join(texts)}"
