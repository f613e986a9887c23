"""Made-up records of the study: of the shape and the length of real ones."""

import numpy as np

from fewshot_audio.record_fields import Record
from fewshot_audio.runner.environment import provenance

MODELS, FRONTENDS = ("timbre", "sb_cnn", "vgg", "proto"), ("log_eps", "log_learn", "leaf")
SPENT = ("prepare", "train", "filter", "score", "measure")
EPOCHS, FILTERS = list(range(0, 200, 8)), 128
PARTS = ("centre", "bandwidth", "pooling, ms", "alpha", "delta", "root", "smooth")
LEARNED = {  # scalars in the history of each frontend
    "log_eps": (),
    "log_learn": ("alpha", "beta", "beta/alpha"),
    "leaf": ("median drift, Hz", *(f"median {part}" for part in PARTS)),
}


def fields(frontend: str, classes: int, random: np.random.Generator) -> Record:
    """Return the fields of a finished run's record that tell neither which run it is nor a score.

    Args:
        frontend: One of `FRONTENDS`.
        classes: Their number.
        random: What numbers are drawn from.
    """
    paths = {
        name: (100 + np.cumsum(random.normal(size=len(EPOCHS)))).tolist()
        for name in LEARNED[frontend]
    }
    made = {
        "class_names": [f"class {place}" for place in range(classes)],
        "confusion_matrix": [[7] * classes] * classes,
        "history": {"epoch": EPOCHS, **paths} if paths else {},
        "parameters": 42764,
        "notes": [],
        "seconds": {part: random.random() for part in SPENT},
        "command": "python scripts/run.py -m +study=whole dataset.root=...",
        **provenance(),
    }
    if frontend == "leaf":
        before = np.geomspace(60, 20000, FILTERS)
        after = before * random.normal(1, 0.02, FILTERS)
        sides = {"before": before.round(1).tolist(), "after": after.round(1).tolist()}
        made["frontend_diagnostics"] = {
            "summary": {"median drift, Hz": 12.5},
            "filters": dict.fromkeys(PARTS, sides),
        }
    return made
