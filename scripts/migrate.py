"""Carry records of earlier versions over: python scripts/migrate.py RESULTS_FOLDER dataset=us8k dataset.root=... [settings]

Settings are those that chose the data and the rate when the runs were done. The audio files must be there: a record's
key holds digests of them, which this command compares with those that the record was made from.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fewshot_audio import config
from fewshot_audio.components import TARGET, build, defaults_of
from fewshot_audio.features.cache import Transform, cache_key, file_digests
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.features.waveform import Waveform
from fewshot_audio.runner.identity import canonical, digest_of
from fewshot_audio.runner.store import SCHEMA, Store, encoded
from fewshot_audio.types import Dataset, RunSpec, StoreError

RENAMED = {
    "path": "history",
    "ended": "stop_reason",
    "confusion": "confusion_matrix",
    "clips": "test_clips",
    "nan_clips": "unscored_clips",
    "stack": "stack_size",
    "draw": "few_shot_split",
    "measured": "patch_statistics",
    "reads": "frontend_input",
    "frontend_report": "frontend_diagnostics",
    "support_frontend_report": "support_frontend_diagnostics",
    "training_clips": "clips_per_class",
    "recordings": "groups_per_class",
}
METHOD = {
    "epochs": "max_epochs",
    "decay": "weight_decay",
    "reestimate_bn": "reestimate_batch_norm",
    "bf16_scoring": "score_in_bfloat16",
}


def main(folder: Path, overrides: list[str]) -> None:
    """Rewrite every record of a results folder; nothing is written where one cannot be carried over."""
    cfg = config.composed(overrides)
    job, machine = config.job(cfg), config.machine(cfg)
    dataset: Dataset = build(job.dataset, name=job.dataset.name)
    digests = file_digests(dataset, machine.cache, machine.builders)
    files: dict[Path, list[dict[str, Any]]] = {}
    store = Store(folder)
    for record in _records(folder):
        if record.get("schema") == SCHEMA:
            continue
        migrated = migrate(record, dataset, digests)
        identity = migrated["identity"]
        spec = RunSpec(identity["n_per_class"], identity["repeat"], identity, migrated["key"])
        files.setdefault(store.file_of(spec), []).append(migrated)
    for old in (folder / "runs").glob("*.jsonl"):
        old.unlink()
    for file, records in files.items():
        file.write_bytes(encoded(records))
    print(f"{sum(map(len, files.values()))} records in {len(files)} files")


def migrate(
    record: Mapping[str, Any], dataset: Dataset, digests: Mapping[str, str]
) -> dict[str, Any]:
    """Return a record of the first version, which had no number, as one of the present version."""
    identity = _identity(record["identity"], dataset, digests)
    changed = {RENAMED.get(name, name): value for name, value in record.items()}
    for name in ("accuracy", "correct", "stored_bn"):
        changed.pop(name, None)
    if "accuracy" in record:
        changed["metrics"] = {"accuracy": record["accuracy"]}
        changed["class_names"] = dataset.classes
    if "stored_bn" in record:
        changed["metrics_stored_batch_norm"] = {"accuracy": record["stored_bn"]["accuracy"]}
    return {**changed, "schema": SCHEMA, "identity": identity, "key": digest_of(identity)}


def _identity(
    old: Mapping[str, Any], dataset: Dataset, digests: Mapping[str, str]
) -> dict[str, Any]:
    fit, frontend = dict(old["fit"]), dict(old["frontend"])
    transform: Transform = MelTransform(**old["mel"])
    if "sample_rate" in frontend:
        transform = Waveform(frontend["sample_rate"])
    if _first_cache_key(dataset, transform, digests) != old["bank"]:
        raise StoreError("the audio files are not those that the records were made from")
    features, _ = cache_key(dataset, transform, digests)
    optimizer = {"name": "sgd", "type": "SGD", "lr": fit.pop("learning_rate")}
    optimizer["max_grad_norm"] = fit.pop("clip_norm")
    return canonical(
        {
            "dataset": {"name": old["dataset"]["name"]},
            "fold": old["fold"],
            "split": dataset.fold(old["fold"]).digest,
            "features": features,
            "mel": old["mel"],
            "model": _component("model", old["model"]),
            "frontend": _component("frontend", frontend),
            "method": _component(
                "method", {METHOD.get(name, name): value for name, value in fit.items()}
            ),
            "optimizer": optimizer,
            "seed": old["seed"],
            "few_shot_splits": old["draws"],
            "n_per_class": old["n_per_class"],
            "repeat": old["repeat"],
        }
    )


def _component(group: str, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return a choice's identity; settings that were left out because they were off stand in full."""
    settings = config.composed([f"{group}={_file_of(group, old['name'])}"])[group]
    off = {key: value for key, value in settings.items() if value is None or value is False}
    given = {**off, **{key: value for key, value in old.items() if key != "target"}}
    defaults = defaults_of(settings[TARGET])
    given = {key: value for key, value in given.items() if defaults.get(key, "") != value}
    return {"type": old["target"].rpartition(".")[2], **given}


def _file_of(group: str, name: str) -> str:
    """Return the choice whose settings a component of that name was made from."""
    return name if name in config.choices(group) else name.rpartition("_")[0]


def _first_cache_key(dataset: Dataset, transform: Transform, digests: Mapping[str, str]) -> str:
    """Return the key that caches of the first version had."""
    clips = [[c.path, c.label, c.fold, c.group, digests[c.path]] for c in dataset.clips]
    settings = {"name": type(transform).__name__, **asdict(transform)}
    text = json.dumps({"transform": settings, "clips": clips}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _records(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "runs").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
