"""What runs have left in a store."""

from fewshot_audio.runner.store import Store

SAME = (
    "key",
    "status",
    "metrics",
    "confusion_matrix",
    "learned",
    "few_shot_split",
    "updates",
    "stop_reason",
)


def lines(machine):
    return list(Store(machine.results).records())


def outcomes(records):
    """What must be the same whoever did the runs."""
    return {line["key"]: [line.get(name) for name in SAME] for line in records}
