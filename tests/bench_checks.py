"""What every benchmark's result is."""

import json

TIMES = ("ms", "s", "seconds", "hours")


def check(result, name, but=()):
    """A result is JSON, tells of what it is and of which machine; nothing takes no time.

    `but` are names of differences of times, which may be below 0.
    """
    stored = json.loads(json.dumps(result))
    assert stored["bench"] == name
    assert stored["machine"]["processor"]
    assert stored["machine"]["commit"]
    times = [(name, value) for name, value in numbers(stored) if name.rpartition("_")[2] in TIMES]
    assert all(value > 0 for name, value in times if name not in but)


def numbers(value, name=""):
    """The values in a result that is JSON, by the last name above them."""
    if isinstance(value, dict):
        return [pair for key, each in value.items() for pair in numbers(each, key)]
    if isinstance(value, list):
        return [pair for each in value for pair in numbers(each, name)]
    return [(name, value)]
