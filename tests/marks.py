"""What the default tests leave to `pytest -m slow`."""

import pytest


def slow_but(*quick, of):
    """The cases of a parametrised test, all slow but the quick ones."""
    return [case if case in quick else pytest.param(case, marks=pytest.mark.slow) for case in of]
