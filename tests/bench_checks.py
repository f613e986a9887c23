"""What every benchmark's result is."""

import json

TIMES = {"ms", "s", "seconds", "hours"}
NO_TIMES = ("intervals", "memory")


def check(result, name, but=()):
    """A result is JSON, tells of what it is and of which machine; nothing takes no time.

    `but` are names of differences of times, which may be below 0.
    """
    stored = json.loads(json.dumps(result))
    assert stored["bench"] == name
    assert stored["machine"]["processor"]
    assert stored["machine"]["commit"]
    times = [(names, value) for names, value in numbers(stored) if TIMES & units(names)]
    assert times or name in NO_TIMES
    assert all(value > 0 for names, value in times if names[-1] not in but)


def units(names):
    return {name.rpartition("_")[2] for name in names}


def numbers(value, names=()):
    """The values in a result that is JSON, with the names above them."""
    if isinstance(value, dict):
        return [pair for key, each in value.items() for pair in numbers(each, (*names, key))]
    if isinstance(value, list):
        return [pair for each in value for pair in numbers(each, names)]
    return [(names, value)]
