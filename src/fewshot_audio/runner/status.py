"""How far jobs are: what a dry run, the end of a sweep and scripts/status.py say."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fewshot_audio import config
from fewshot_audio.progress import counted
from fewshot_audio.record_fields import Record
from fewshot_audio.records import flat_settings
from fewshot_audio.runner.checkpoints import is_kept
from fewshot_audio.runner.identity import missing
from fewshot_audio.runner.plan import Planner, title
from fewshot_audio.runner.store import Store, by_outcome
from fewshot_audio.types import FewshotAudioError, Job, Machine, RunSpec

DIGESTS = ("split", "features")  # of identities, which say little: only where nothing else differs
ABSENT = object()  # of a setting that a job has not


@dataclass(frozen=True)
class Stored:
    """Finished runs and runs that only failed, by key, and the mean time (s) of runs of a kind."""

    finished: Mapping[str, Record]
    failed: Mapping[str, Record]
    durations: Mapping[str, float]

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Stored":
        """Sort records."""
        (finished, failed), seconds = by_outcome(records), defaultdict(list)
        for record in finished.values():
            seconds[_kind(record["identity"])].append(sum(record["seconds"].values()))
        durations = {kind: sum(each) / len(each) for kind, each in seconds.items()}
        return cls(finished, failed, durations)

    def time_left(self, todo: Sequence[RunSpec]) -> str:
        """Return the time that runs will take one after the other, as far as it is known."""
        lengths = [self.durations.get(_kind(spec.identity)) for spec in todo]
        known = [length for length in lengths if length is not None]
        minutes = sum(known) / 60
        time = f"about {minutes:.0f} min" if minutes < 120 else f"about {minutes / 60:.0f} h"
        texts = [time] if known or not todo else []
        if len(known) < len(todo):
            texts.append(f"{counted(len(todo) - len(known), 'run')} of unknown length")
        return " and ".join(texts)


def _kind(identity: Mapping[str, Any]) -> str:
    """Return what the time of a run depends on."""
    names = [identity[part]["name"] for part in ("dataset", "model", "frontend")]
    others = [identity.get(part) for part in ("n_per_class", "mel", "method")]
    return repr((*names, *others))


def plans(jobs: Sequence[Job], machine: Machine) -> str:
    """Return what a dry run says: a line for each job, and their sum where there are several."""
    planner, stored = Planner(), Stored.of(Store(machine.results).brief())
    present = planner.present(jobs, machine)
    specs_of_jobs = [planner.specs(job, machine) for job in present]
    runs = list(zip(titles(present, specs_of_jobs), specs_of_jobs, strict=True))
    if len(runs) > 1:
        everything = unique(spec for _, specs in runs for spec in specs)
        runs.append((counted(len(runs), "job"), everything))
    lines = []
    for name, specs in runs:
        line = f"{name}: {_plan(specs, stored, machine.retry_failed)}"
        unkept = sum(spec.key in stored.finished and not is_kept(machine, spec) for spec in specs)
        if unkept:
            line = f"{line}; {counted(unkept, 'finished run')} to train again for a checkpoint"
        lines.append(line)
    return "\n".join(lines)


def titles(jobs: Sequence[Job], specs: Sequence[Sequence[RunSpec]]) -> list[str]:
    """Return jobs in a few words: those of the same words with the settings in which they differ.

    Args:
        jobs: The jobs.
        specs: The runs of each.
    """
    names = [title(job) for job in jobs]
    settings = [_telling(of_job[0]) if of_job else {} for of_job in specs]
    alike = defaultdict(list)
    for name, own in zip(names, settings, strict=True):
        alike[name].append(own)
    differing = {name: _differing(group) for name, group in alike.items()}
    return [
        " ".join([name, *(f"{each}={own[each]}" for each in differing[name] if each in own)])
        for name, own in zip(names, settings, strict=True)
    ]


def _differing(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the settings that tell jobs apart, without those that follow from the ones before."""
    found: list[str] = []
    names = dict.fromkeys(name for job in jobs for name in job)
    for name in sorted(names, key=DIGESTS.__contains__):
        told, more = (
            len({repr([job.get(each, ABSENT) for each in chosen]) for job in jobs})
            for chosen in (found, [*found, name])
        )
        if more > told:
            found.append(name)
    return found


def _telling(spec: RunSpec) -> dict[str, Any]:
    """Return the settings of a run by dotted names, of parts that have a name that name first."""
    flat = flat_settings(spec.identity)
    flat = {name.removesuffix(".name"): value for name, value in flat.items()}
    return {name: value for name, value in flat.items() if not name.endswith(".type")}


def _plan(specs: Sequence[RunSpec], stored: Stored, retry_failed: bool) -> str:
    unfinished = missing(specs, stored.finished)
    fresh = missing(unfinished, stored.failed)
    todo = unfinished if retry_failed else fresh
    failed = f"{len(unfinished) - len(fresh):,} of them failed before"
    if len(todo) < len(unfinished):
        failed = f"{failed}, and are left"
    finished = len(specs) - len(unfinished)
    counts = (
        f"{counted(len(specs), 'run')}, {finished:,} finished, {len(unfinished):,} missing "
        f"({failed})"
    )
    return f"{counts}, {stored.time_left(todo)}"


def status(jobs: Iterable[Job], machine: Machine) -> str:
    """Return the state of jobs: a table of their runs, the time left, failures."""
    planner = Planner()
    specs = [spec for job in planner.present(jobs, machine) for spec in planner.specs(job, machine)]
    return describe(unique(specs), Store(machine.results).brief())


def unique(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """Return runs once each: jobs share runs where they differ in what cannot change a result."""
    return list({spec.key: spec for spec in specs}.values())


def describe(specs: Sequence[RunSpec], records: Iterable[Record]) -> str:
    """Return the text of `status` for some runs and all records of the store."""
    stored = Stored.of(records)
    keys = {spec.key for spec in specs}
    finished = [record for key, record in stored.finished.items() if key in keys]
    failures = [record["error"] for key, record in stored.failed.items() if key in keys]
    todo = missing(specs, stored.finished)
    left = stored.time_left(todo) if todo else "nothing"
    counts = f"{len(finished)} of {len(keys)} runs finished, {len(failures)} failed"
    parts = [
        grid(specs, stored.finished.keys()).to_markdown(index=False, disable_numparse=True),
        f"{counts}; left for one process: {left}",
    ]
    if unscored := sum(bool(record.get("unscored_clips")) for record in finished):
        runs = counted(unscored, "finished run")
        parts.append(f"no finite score for some clips of {runs}; these clips count as wrong")
    for reason, count in Counter(failures).most_common():
        parts.append(f"failed {counted(count, 'time')}: {reason}")
    return "\n\n".join(parts)


def grid(specs: Sequence[RunSpec], finished: Collection[str]) -> pd.DataFrame:
    """Return the finished and the asked runs, over all folds and repeats.

    Rows are dataset, model and frontend; columns are n.
    """
    parts = ["dataset", "model", "frontend"]
    rows = [
        [
            *(spec.identity[part]["name"] for part in parts),
            f"n = {spec.n_per_class or 'all'}",
            spec.key in finished,
        ]
        for spec in specs
    ]
    table = pd.DataFrame(rows, columns=[*parts, "n", "finished"])
    columns = list(dict.fromkeys(table["n"]))
    counts = table.groupby([*parts, "n"])["finished"].agg(["sum", "count"])
    text = counts["sum"].astype(str) + "/" + counts["count"].astype(str)
    return text.unstack("n")[columns].fillna("–").rename_axis(columns=None).reset_index()


def summary(jobs: Sequence[Job], machine: Machine, command: str) -> str:
    """Return what a sweep came to, where its results are, and the next command."""
    planner, specs, impossible = Planner(), [], 0
    for job in planner.present(jobs, machine):
        try:
            specs += planner.specs(job, machine)
        except FewshotAudioError:  # as the job itself has said
            impossible += 1
    specs, stored = unique(specs), Stored.of(Store(machine.results).brief())
    finished = sum(spec.key in stored.finished for spec in specs)
    failed = sum(spec.key in stored.failed for spec in specs)
    left = len(specs) - finished - failed
    counts = f"{counted(len(jobs), 'job')}: {finished:,} of {counted(len(specs), 'run')} finished"
    counts = f"{counts}, {failed:,} failed"
    if impossible:
        counts = f"{counts}, {counted(impossible, 'job')} impossible"
    step = config.command_line("report", [f"results={machine.results}"])
    if finished < len(specs):
        step = f"{command} (again: finished runs are kept)"
    elif not specs:
        step = "change what the errors name"
    return f"{counts}, {left:,} left; results are in {machine.results}\nnext: {step}"
