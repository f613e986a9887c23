"""All settings of a run in its record: those at their defaults, too."""

import json
from dataclasses import replace

from fewshot_audio.runner.settings import all_settings
from fewshot_audio.types import Component


class Part:
    """A part that is nested in a frontend."""

    def __init__(self, width=3, kind=None):
        self.width, self.kind = width, kind


class Nested:
    """A frontend with a default that JSON has not."""

    def __init__(self, part, weights="", gain=2.0, shape=(1, 2), other=Part):
        self.part = part


def test_defaults_stand_beside_settings_that_are_set(job):
    arguments = {"part": {"_target_": f"{__name__}.Part", "kind": "a"}, "weights": "/home/me/w.pt"}
    frontend = Component("frontend", "mine", f"{__name__}.Nested", arguments)
    adamw = Component("optimizer", "adamw", "torch.optim.AdamW", {"lr": 0.5})
    optimizer = replace(job.optimizer, optimizer=adamw)
    settings = all_settings(replace(job, frontend=frontend, optimizer=optimizer))
    assert json.loads(json.dumps(settings)) == settings
    assert settings["frontend"] == {
        "name": "mine",
        "type": "Nested",
        "weights": "w.pt",
        "gain": 2,
        "shape": [1, 2],
        "part": {"type": "Part", "width": 3, "kind": "a"},
    }
    found = {name: settings["optimizer"][name] for name in ("lr", "eps", "weight_decay", "betas")}
    assert found == {"lr": 0.5, "eps": 1e-8, "weight_decay": 0.01, "betas": [0.9, 0.999]}
    assert settings["mel"]["n_bands"] == job.mel.n_bands
    assert "n_bands" not in settings["model"]  # the program's, whatever the default
