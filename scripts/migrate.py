"""Carry records of the first version over to the present one, in place.

python scripts/migrate.py RESULTS_FOLDER dataset=us8k dataset.root=FOLDER [dataset.SETTING=...]

The audio files must be there: a record's key holds digests of them, which are compared with those
that the record was made from. Nothing is written where one record cannot be carried over.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fewshot_audio import compose, config
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.features.cache import cache_key, file_digests
from fewshot_audio.files import atomic_write
from fewshot_audio.record_fields import FINISHED, SCHEMA, Record
from fewshot_audio.records import encoded
from fewshot_audio.runner.identity import canonical, run_specs
from fewshot_audio.runner.plan import Planner, transform_of
from fewshot_audio.runner.store import Store
from fewshot_audio.seeding import digest_of
from fewshot_audio.types import ConfigError, FewshotAudioError, Job, RunSpec, StoreError

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
OFF = {"reestimate_bn": False, "bf16_scoring": False}  # left out of a first record where false
NOT_METHOD = ("name", "target", "learning_rate", "clip_norm")
FROM_CONFIG = ("name", "target", "sample_rate", "hop")
# Digests of the arguments that models and frontends had: today's choice of that name is the same.
KNOWN = {
    "frontend=efficient_leaf": "d20e1e55bfb4938e",
    "frontend=leaf": "344032afbce94e47",
    "frontend=leaf_widths": "c3ff066dec4b004d",
    "frontend=log1p_per_band": "a93286b8344bce2c",
    "frontend=log_10000": "cf844c3ed4f12020",
    "frontend=log_eps": "2e4ca0a4d24489bb",
    "frontend=log_fixed": "498808c219fef597",
    "frontend=log_learn": "e4334aeb8cea2498",
    "frontend=log_per_band": "e4334aeb8cea2498",
    "frontend=mel_pcen": "1bb9f93012f2f10a",
    "frontend=sincnet": "444c1c72969b3c26",
    "frontend=sincnet_plus": "eaf9e7bb39b4696d",
    "frontend=wavegram": "ba32b4a7fbf5a20b",
    "model=proto": "9b234b53c154cdd2",
    "model=sb_cnn": "6b786971cdaf46e4",
    "model=timbre": "44136fa355b3678a",
    "model=vgg": "554b94e8367fc084",
}


class Migration:
    """Carries the records of one dataset over; what many of them share is composed once."""

    def __init__(self, overrides: Sequence[str]):
        self.overrides = list(overrides)
        cfg = compose.composed(self.overrides)
        machine = config.machine(cfg)
        self.dataset: Dataset = Planner().dataset(config.job(cfg).dataset)
        self.digests = file_digests(self.dataset, machine.cache, machine.builders)
        self.jobs: dict[str, tuple[Job, str]] = {}

    def record(self, old: Record) -> tuple[RunSpec, Record]:
        """Return the run and the present record of one of the first version."""
        spec = self._spec(old["identity"])
        new = {RENAMED.get(name, name): value for name, value in old.items()}
        for name in ("accuracy", "correct", "stored_bn"):
            new.pop(name, None)
        if old["status"] == FINISHED:
            new["metrics"] = {"accuracy": old["accuracy"]}
            new["class_names"] = self.dataset.classes
            waveform = "sample_rate" in old["identity"]["frontend"]
            new.setdefault("frontend_input", "waveform" if waveform else "mel")
        if "stored_bn" in old:
            new["metrics_stored_batch_norm"] = {"accuracy": old["stored_bn"]["accuracy"]}
        if "stopped" not in old:
            length = timedelta(seconds=sum(old["seconds"].values()))
            stopped = datetime.fromisoformat(old["started"]) + length
            new["stopped"] = stopped.isoformat(timespec="seconds")
        return spec, {**new, "schema": SCHEMA, "identity": spec.identity, "key": spec.key}

    def _spec(self, old: Mapping[str, Any]) -> RunSpec:
        """Return the run that today's configuration makes of the settings of an old one."""
        if old["draws"] not in (None, "recording"):
            raise StoreError("records of few-shot splits from a file cannot be carried over")
        shared = {key: value for key, value in old.items() if key not in ("n_per_class", "repeat")}
        name = json.dumps(shared)
        if name not in self.jobs:
            job = config.job(compose.composed([*self.overrides, *self._settings(old)]))
            self.jobs[name] = job, self._features(job, old)
        job, features = self.jobs[name]
        job = Job(**{**vars(job), "repeats": {old["n_per_class"]: old["repeat"]}})
        splits = None if old["draws"] is None else "group"
        return run_specs(job, self.dataset.fold(old["fold"]), features, splits)[-1]

    def _settings(self, old: Mapping[str, Any]) -> list[str]:
        """Return the overrides that choose an old run's settings today."""
        for part in ("model", "frontend"):
            _check_known(part, old[part])
        fit = {**OFF, **old["fit"]}
        method = {METHOD.get(key, key): fit[key] for key in fit if key not in NOT_METHOD}
        settings = {
            "model": old["model"]["name"],
            "frontend": old["frontend"]["name"],
            "method": fit["name"],
            "optimizer.lr": fit["learning_rate"],
            "optimizer.max_grad_norm": fit["clip_norm"],
            "fold": old["fold"],
            "seed": old["seed"],
            **{f"method.{key}": value for key, value in method.items()},
            **old["mel"],
        }
        return [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in settings.items()
        ]

    def _features(self, job: Job, old: Mapping[str, Any]) -> str:
        """Return the key of today's feature cache; StoreError where the audio files are others."""
        transform = {"name": "MelTransform", **old["mel"]}
        if "sample_rate" in old["frontend"]:
            transform = {"name": "Waveform", "sample_rate": old["frontend"]["sample_rate"]}
        clips = [
            [clip.path, clip.label, clip.fold, clip.group, self.digests[clip.path]]
            for clip in self.dataset.clips
        ]
        text = json.dumps({"transform": transform, "clips": clips}, sort_keys=True)
        if hashlib.sha256(text.encode()).hexdigest()[:16] != old["bank"]:
            raise StoreError("the clips are not those that the records were made from")
        key, _ = cache_key(self.dataset, transform_of(job), self.digests)
        return key


def _check_known(group: str, old: Mapping[str, Any]) -> None:
    """Raise StoreError where an argument was not that of the choice's yaml."""
    arguments = {key: value for key, value in old.items() if key not in FROM_CONFIG}
    if KNOWN.get(f"{group}={old['name']}") != digest_of(canonical(arguments)):
        raise StoreError(f"{group}={old['name']} with {arguments} is no choice of conf/{group}")


def main(folder: Path, overrides: Sequence[str]) -> None:
    """Rewrite every record of a results folder."""
    migration, store = Migration(overrides), Store(folder)
    files: dict[Path, list[Record]] = {}
    for old_file in sorted((folder / "runs").glob("*.jsonl")):
        for number, line in enumerate(old_file.read_text(encoding="utf-8").splitlines(), 1):
            record = json.loads(line)
            if "schema" in record:
                raise StoreError(
                    f"{old_file}:{number} has a schema; was this folder migrated before?"
                )
            try:
                spec, new = migration.record(record)
            except (StoreError, ConfigError) as error:
                raise StoreError(f"{old_file}:{number}: {error}; nothing was changed") from error
            files.setdefault(store.file_of(spec), []).append(new)
    texts = {file: encoded(records) for file, records in files.items()}
    for file, text in texts.items():  # the old ones go last: a full disk loses none
        with atomic_write(file) as draft:
            draft.write_bytes(text)
    for old_file in set((folder / "runs").glob("*.jsonl")) - texts.keys():
        old_file.unlink()
    print(f"{len(list(store.records()))} records in {len(files)} files")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="results folder, with runs/ in it")
    parser.add_argument("settings", nargs="+", help="dataset=us8k dataset.root=FOLDER ...")
    arguments = parser.parse_args()
    try:
        main(arguments.folder, arguments.settings)
    except FewshotAudioError as error:
        sys.exit(f"error: {error}")
