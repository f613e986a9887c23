"""How far the jobs of a sweep are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import pandas as pd

from fewshot_audio.runner.plan import Planner, durations, estimate
from fewshot_audio.runner.store import FAILED, FINISHED, Line, Store
from fewshot_audio.types import Job, Machine, RunSpec

LATELY = timedelta(hours=1)


def status(jobs: Iterable[Job], machine: Machine) -> str:
    """The jobs' runs as text: a table of finished and wanted ones, the last hour's, the time left, failures by reason."""
    planner = Planner()
    specs = [spec for job in planner.present(jobs, machine) for spec in planner.specs(job, machine)]
    return describe(specs, list(Store(machine.results).brief()))


def describe(specs: Sequence[RunSpec], lines: Sequence[Line]) -> str:
    """Wanted runs and the store's lines to the text of `status`."""
    wanted = {spec.key for spec in specs}
    finished = {
        line["key"]: line for line in lines if line["status"] == FINISHED and line["key"] in wanted
    }
    open_ones = wanted - finished.keys()
    failures = {
        line["key"]: line["error"]
        for line in lines
        if line["status"] == FAILED and line["key"] in open_ones
    }
    todo = [spec for spec in specs if spec.key not in finished]
    left = (
        estimate(todo, durations(line for line in lines if line["status"] == FINISHED))
        if todo
        else "nothing"
    )
    nan = sum(bool(line.get("unscored_clips")) for line in finished.values())
    counts = f"{len(finished)} of {len(wanted)} runs finished, {len(failures)} failed"
    return "\n\n".join(
        [
            grid(specs, finished.keys()).to_markdown(index=False, disable_numparse=True),
            f"{counts}; {lately(finished.values())} in the last hour of work; left for one process: {left}",
            *(
                [
                    f"no finite score for some clips of {nan} finished runs; these clips count as wrong"
                ]
                if nan
                else []
            ),
            *(
                f"failed {count} times: {reason}"
                for reason, count in Counter(failures.values()).most_common()
            ),
        ]
    )


def grid(specs: Sequence[RunSpec], finished: Iterable[str]) -> pd.DataFrame:
    """Finished and wanted runs by dataset, model and frontend (rows) and n (columns), over all folds and repeats."""
    done, arm = set(finished), ["dataset", "model", "frontend"]
    rows = [
        [*(spec.identity[part]["name"] for part in arm), spec.n_per_class, spec.key in done]
        for spec in specs
    ]
    counts = (
        pd.DataFrame(rows, columns=[*arm, "n", "done"])
        .groupby([*arm, "n"])["done"]
        .agg(["sum", "count"])
    )
    text = (counts["sum"].astype(str) + "/" + counts["count"].astype(str)).unstack("n").fillna("–")
    return text.rename(columns=lambda n: f"n = {n}").rename_axis(columns=None).reset_index()


def lately(finished: Iterable[Line]) -> int:
    """How many of the runs ended in the last hour before the newest one's end."""
    ends = [_end(line) for line in finished if "started" in line]
    return sum(end > max(ends) - LATELY for end in ends)


def _end(line: Line) -> datetime:
    """When a run ended; of older lines, which do not tell, about when."""
    if "stopped" in line:
        return datetime.fromisoformat(line["stopped"])
    return datetime.fromisoformat(line["started"]) + timedelta(
        seconds=sum(line["seconds"].values())
    )
