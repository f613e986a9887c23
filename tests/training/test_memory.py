"""What a run holds goes with it, without waiting for the garbage collector."""

import gc
import weakref

import pytest
from memory_data import job_data

from fewshot_audio import compose, config
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score

SETTINGS = ["dataset=synthetic", "model=conv_net", "n_bands=40", "patch_frames=16"]


@pytest.fixture
def _no_garbage_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collector")
@pytest.mark.parametrize("method", ["supervised", "prototypical"])
@pytest.mark.parametrize("stack", [1, 2])
def test_the_clips_of_a_run_go_with_it(stack, method):
    settings = [*SETTINGS, f"method={method}", "method.max_epochs=1", "n_per_class=2"]
    job, data = config.job(compose.composed(settings)), job_data([(0,), (1,), (2,)] * 4)
    trained = train(job, data, 2, range(1, stack + 1), "cpu")
    held = [weakref.ref(each.run.method.data.inputs[0]) for each in trained]
    held += [weakref.ref(each.run.network) for each in trained]
    for each in trained:
        score(each, data)
    del trained, each
    assert [reference() for reference in held] == [None] * 2 * stack
