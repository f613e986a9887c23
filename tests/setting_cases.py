"""Every setting of every file of conf/, with values that few of them can have."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fewshot_audio import cli, compose, config, mistakes
from fewshot_audio.runner.plan import Planner
from fewshot_audio.runner.store import Store
from official_trees import TREES, write_sounds, write_table

DELETED = object()
VALUES = {
    "null": None,
    "text": "no_such",
    "list": [[1]],
    "zero": 0,
    "negative": -1,
    "huge": 10**9,
    "nan": math.nan,
    "inf": math.inf,
    "empty": "",
    "deleted": DELETED,
}
SMALL = ["model=timbre", "n_per_class=1", "repeats=1", "workers=1", "dry_run=true"]
SYNTHETIC = ["dataset=synthetic", "dataset.groups=3", "dataset.clips_per_class=2"]
CROPS = ["protocol=full", "n_per_class=null", "repeats=1", "method.keep_best=null"]
WITH = {  # what a choice needs beside it
    "dataset=audioset": ["method=multilabel", "metrics=multilabel"],
    "dataset=fsd50k": ["method=multilabel", "metrics=multilabel"],
    "method=multilabel": ["dataset=fsd50k", "metrics=multilabel"],
    "metrics=multilabel": ["dataset=fsd50k", "method=multilabel"],
    "method=crops": CROPS,
    "method=crops_multilabel": [*CROPS, "dataset=fsd50k", "metrics=multilabel"],
    "protocol=full": CROPS,
    "model=cnn14": ["method.test_hop=32"],
    "frontend/filters=sinc": ["frontend=leaf", "frontend/engine=rectified"],
    "frontend/filters=free": ["frontend=leaf", "frontend/engine=blocks"],
    "frontend/pooling=shared": ["frontend=leaf", "frontend/engine=blocks"],
    "frontend/engine=rectified": ["frontend=leaf", "frontend/filters=sinc"],
    "frontend/engine=rectified_maximum": ["frontend=sincnet"],
    "frontend/pooling=largest": ["frontend=sincnet"],
    "frontend=wavegram": ["hop=1024"],
    "frontend=learned": ["frontend.checkpoint=nowhere"],
    **{f"augmentation={name}": CROPS for name in ("gain", "mixup", "time_shift")},
}


FILES = sorted(file.relative_to(compose.CONF) for file in compose.CONF.rglob("*.yaml"))
CHOICES = [""] + [
    f"{file.parent.as_posix()}={file.stem}"
    for file in FILES
    if file.parts[0] not in ("config.yaml", "hydra", "study")
]
TOP = {str(key) for key in OmegaConf.load(compose.CONF / "config.yaml")} - {"defaults", "hydra"}


@dataclass(frozen=True)
class Case:
    """One setting of a choice of a file with one value."""

    choice: str
    setting: tuple[str | int, ...]
    value: str

    def names(self, message: str) -> bool:
        """Return whether a message is one sentence that names the setting, or what it is in."""
        within = ".".join(map(str, self.setting[:-1]))
        named = str(self.setting[-1]) in message or (within and within in message)
        return bool(named) and "\n" not in message


class Door:
    """What a dry run does in this process, with small data of every dataset."""

    def __init__(self, folder: Path):
        self.folder, self.planner = folder, Planner()
        self.plain: dict[str, dict[str, Any]] = {}

    def cases(self, choice: str) -> Iterator[Case]:
        """Yield the cases of a file: all settings of its group, or those of config.yaml for ""."""
        group = tuple(choice.partition("=")[0].split("/")) if choice else ()
        for setting in places(self.settings(choice)):
            if setting[: len(group)] == group and (group or setting[0] in TOP):
                yield from (Case(choice, setting, value) for value in VALUES)

    def answer(self, case: Case) -> str | None:
        """Return what is said of a case, None where nothing is; raise what is a traceback."""
        settings = copy.deepcopy(self.settings(case.choice))
        if case.setting:
            change(settings, case.setting, VALUES[case.value])
        try:
            cfg = OmegaConf.create(settings)
            compose.check_names(cfg, ())
            job, machine = config.job(cfg), config.machine(cfg)
            if case.choice.partition("=")[0] in ("", "report", "statistics"):
                config.reporting(cfg)
            for each in self.planner.present([job], machine):
                self.planner.specs(each, machine)
            list(Store(machine.results).brief())
            if case.choice.startswith("report"):
                config.reports(cfg)
        except cli.MENDABLE as error:
            return mistakes.explain(error)
        return None

    def settings(self, choice: str) -> dict[str, Any]:
        """Return what a choice composes to; values that are made of others as they stand."""
        if choice not in self.plain:
            composed = compose.composed(self.overrides(choice))
            plain: Any = OmegaConf.to_container(composed, resolve=False)
            self.plain[choice] = plain
        return self.plain[choice]

    def overrides(self, choice: str) -> list[str]:
        words = [*WITH.get(choice, ()), *([choice] if choice else [])]
        if choice.startswith("report"):
            words = [f"+{choice}"]
        if choice.startswith("frontend/") and choice not in WITH:
            words.insert(0, "frontend=leaf")
        names = [word.partition("=")[2] for word in words if word.startswith("dataset=")]
        data = [f"dataset.root={self._root_of(name)}" for name in names[-1:] if name != "tasks"]
        if names in ([], ["synthetic"]):
            data = SYNTHETIC
        where = [f"cache={self.folder / 'cache'}", f"results={self.folder / 'results'}"]
        return [*SMALL, *data, *where, *words]

    def _root_of(self, name: str) -> Path:
        root = self.folder / name
        if not root.exists():
            root.mkdir()
            TREES.get(name, write_own)(root)
        return root


def places(settings: dict, above: tuple = ()) -> Iterator[tuple]:
    """Yield the place of every setting and group of settings."""
    for key, value in settings.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def change(settings: dict, place: tuple, value: object) -> None:
    for key in place[:-1]:
        settings = settings[key]
    if value is DELETED:
        del settings[place[-1]]
    else:
        settings[place[-1]] = copy.deepcopy(value)


def write_own(root: Path) -> None:
    """Write ten clips of two classes in folders, and a table of them."""
    clips = {f"{label}/{i}.wav": (label,) for label in ("cat", "dog") for i in range(5)}
    write_sounds(root, {"": clips}, 16000)
    write_table(root / "metadata.csv", [["path", "label"], *([p, *x] for p, x in clips.items())])
