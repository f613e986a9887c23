"""Checkpoints of a store's runs: where they lie, and when they are written."""

from pathlib import Path

from fewshot_audio.record_fields import Record
from fewshot_audio.runner.environment import provenance
from fewshot_audio.runner.store import Store
from fewshot_audio.training.checkpoint import Tested, is_whole, write
from fewshot_audio.training.clip_model import ClipModel
from fewshot_audio.types import Machine, RunSpec, StoreError


def is_kept(machine: Machine, spec: RunSpec) -> bool:
    """Return whether a run's checkpoint is there, or none is asked for."""
    return not machine.checkpoint or is_whole(Store(machine.results).checkpoint_of(spec))


def state_file(machine: Machine, spec: RunSpec) -> Path:
    """Return where a run that takes long keeps how far it is, until its record is stored."""
    return machine.results / "unfinished" / f"{spec.key}.ckpt"


def write_checkpoint(
    machine: Machine, spec: RunSpec, result: Record, model: ClipModel, tested: Tested
) -> None:
    """Write the checkpoint of a scored run.

    Args:
        machine: Where results are.
        spec: The run.
        result: Its metrics, and when it started.
        model: Its network.
        tested: Its test clips.

    Raises:
        OSError: The disk refuses; without the folder, which is the user's own.
    """
    names = {part: spec.identity[part]["name"] for part in ("dataset", "model", "frontend")}
    run = {"key": spec.key, **names, "fold": spec.identity["fold"]}
    run |= {"n_per_class": spec.n_per_class, "repeat": spec.repeat}
    made = {"started": result["started"], "command": machine.command, **provenance()}
    folder, embedded = Store(machine.results).checkpoint_of(spec), tested.embeddings()
    try:
        write(folder, model, tested, embedded, result["metrics"], run, made)
    except OSError as error:
        text = f"its checkpoint cannot be written: {error.strerror}"
        raise OSError(error.errno, text) from None


def check_same(machine: Machine, spec: RunSpec, earlier: Record | None, metrics: Record) -> None:
    """Raise StoreError where a run that trained again has other metrics than its record.

    Its state goes, which the next call would go on from with these metrics.
    """
    if earlier is None or earlier["metrics"] == metrics:
        return
    state_file(machine, spec).unlink(missing_ok=True)
    raise StoreError(
        f"trained again for its checkpoint, it has the metrics {metrics}, its record has "
        f"{earlier['metrics']}: the code, versions, device or threads are others; remove the line "
        f"of key {earlier['key']} from {machine.results}/runs to do the run again"
    )
