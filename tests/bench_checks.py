"""What every benchmark's result is."""

import json


def check(result, module, *words):
    """A result is JSON, names its machine, and is told in lines."""
    assert json.loads(json.dumps(result))["machine"]["processor"]
    text = "\n".join(module.lines(result))
    for word in words:
        assert word in text
