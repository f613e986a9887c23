"""Set-up of the tests of reports."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="session")
def _modules_are_no_garbage():
    """Keep what is imported out of the collections that statsmodels asks for in every call."""
    import fewshot_audio.report.build
    import fewshot_audio.report.figures  # noqa: F401

    gc.freeze()
    yield
    gc.unfreeze()
