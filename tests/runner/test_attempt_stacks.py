"""Attempts at stacks: memory, the run at fault, sizes."""

import warnings
from dataclasses import replace

import pytest

from disturbing import disturbing
from fewshot_audio.record_fields import FAILED, FINISHED, SCHEMA
from fewshot_audio.runner import execute
from fewshot_audio.runner.workers import Outcome
from fewshot_audio.training import run as running
from fewshot_audio.training import score as scoring
from fewshot_audio.training.randomness import Generators
from stored import lines, outcomes


def test_a_stack_without_memory_is_halved(job, machine, tmp_path, caplog):
    flag = tmp_path / "flag"
    flag.touch()
    outcome = execute.run(
        disturbing(replace(job, repeats={1: 4}), flag, "memory"), replace(machine, stack=4)
    )
    assert (outcome.trained, outcome.failed) == (4, ())
    assert [line["stack_size"] for line in lines(machine)] == [2, 2] * 2
    assert (
        "a stack of 4 runs failed (out of memory: made to fail); its halves are tried"
        in caplog.text
    )


def test_only_the_run_at_fault_of_a_stack_fails(job, machine, monkeypatch):
    real = running.fit

    def failing(networks, methods, *more):
        if any(method.generators.init.initial_seed() == guilty for method in methods):
            raise RuntimeError("made to fail")
        return real(networks, methods, *more)

    guilty = Generators.named(job.seed, "synthetic", 1, 1, 3).init.initial_seed()
    monkeypatch.setattr(running, "fit", failing)
    outcome = execute.run(replace(job, repeats={1: 5}), replace(machine, stack=5))
    assert (outcome.trained, len(outcome.failed)) == (4, 1)
    found = lines(machine)
    assert [
        (line["identity"]["repeat"], line["status"]) for line in found if line["status"] == FAILED
    ] == [(3, FAILED)]
    assert {
        line["identity"]["repeat"]: line["stack_size"]
        for line in found
        if line["status"] == FINISHED
    } == {1: 2, 2: 2, 4: 2, 5: 2}


@pytest.mark.filterwarnings("default")
def test_a_run_that_fails_when_scored_costs_no_other(job, machine, monkeypatch):
    """Nor is any run trained a second time."""
    real_fit, real_score, fits, scores = running.fit, scoring.score_clips, [], []

    def counting(*arguments):
        fits.append(1)
        return real_fit(*arguments)

    def failing(*arguments, **named):
        scores.append(1)
        if len(scores) == 2:
            warnings.warn("about to fail", stacklevel=1)
            raise MemoryError("made to fail")
        return real_score(*arguments, **named)

    monkeypatch.setattr(running, "fit", counting)
    monkeypatch.setattr(scoring, "score_clips", failing)
    outcome = execute.run(replace(job, repeats={1: 3}), replace(machine, stack=3))
    assert (outcome.trained, len(fits)) == (2, 1)
    (failed,) = outcome.failed
    assert (failed["identity"]["repeat"], failed["cause"], failed["stack_size"]) == (
        2,
        "out of memory",
        3,
    )
    assert failed["warnings"] == ["about to fail"]
    assert failed["seconds"].keys() == {"train", "score"}


def test_runs_of_a_stack_are_those_of_single_ones(job, machine, tmp_path):
    wanted, stacked = (
        replace(job, repeats={1: 3, 2: 2}),
        replace(machine, results=tmp_path / "stacked", stack=3),
    )
    execute.run(wanted, machine)
    execute.run(wanted, stacked)
    assert outcomes(lines(stacked)) == outcomes(lines(machine))
    assert [line["stack_size"] for line in lines(stacked)] == [3, 3, 3, 2, 2]


class InThisProcess:
    """A worker that works here, so that what a test replaces reaches it."""

    def __init__(self, gpu):
        pass

    def start(self, function, *arguments):
        self.outcome = Outcome(function(*arguments))

    def receive(self):
        return self.outcome

    def close(self):
        pass


def _pretended(specs):
    line = {
        "schema": SCHEMA,
        "status": FINISHED,
        "metrics": {"accuracy": 0.5},
        "unscored_clips": 0,
        "seconds": {},
        "stack_size": len(specs),
    }
    return [{**line, "key": spec.key, "identity": spec.identity} for spec in specs]


@pytest.mark.parametrize(
    ("stack", "fitting", "workers", "expected"),
    [(None, 13, 1, [10] * 20), (None, 13, 2, [5] * 20), (4, 1, 2, [4] * 20)],
)
def test_stacks_are_as_large_as_set_or_as_fits(
    job, machine, monkeypatch, stack, fitting, workers, expected
):
    """What fits is what fits beside other workers."""
    monkeypatch.setattr(execute, "max_stack_size", lambda *_: fitting)
    monkeypatch.setattr(execute, "Worker", InThisProcess)
    monkeypatch.setattr(execute, "with_news", lambda workers: list(workers))
    monkeypatch.setattr(execute, "attempt_in_worker", lambda pickled, specs, _: _pretended(specs))
    monkeypatch.setattr(execute, "attempt", lambda opened, specs, earlier: _pretended(specs))
    execute.run(replace(job, repeats={1: 20}), replace(machine, stack=stack, workers=workers))
    assert [line["stack_size"] for line in lines(machine)] == expected
