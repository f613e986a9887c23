"""When prototypical training ends: a simulation of the original's rule."""

import math

import numpy as np
import pytest
from prototypical_cases import method, network, training_clips

from defaults import SGD
from fewshot_audio.training.loop import fit
from fewshot_audio.training.methods.prototypical import Prototypical


@pytest.fixture
def data():
    return training_clips()


def stopped_after(accuracies, patience):
    """The original's rule, written out: the epoch that ends training, None for none."""
    best, without = -math.inf, 0
    for epoch, accuracy in enumerate(accuracies, 1):
        if accuracy <= best:
            without += 1
            if without > patience:
                return epoch
        best = max(best, accuracy)
    return None


@pytest.mark.parametrize("seed", range(20))
def test_training_ends_as_the_original_s_does(data, monkeypatch, seed):
    right = np.random.default_rng(seed).choice([2, 5, 7, 12], 60, p=[0.4, 0.3, 0.25, 0.05]).tolist()
    monkeypatch.setattr(Prototypical, "_right_answers", lambda self, *_: right[len(self.right)])
    expected = stopped_after(right, seed)
    for cap in (None, *range(1, 61)):
        settings = method(data, patience=seed, max_epochs=cap)
        said = [settings.stop_reason(None, data) for _ in right[:cap]]
        first = next((epoch for epoch, reason in enumerate(said, 1) if reason), None)
        assert first == (expected if cap is None or expected <= cap else None)
        assert first is None or said[first - 1] == f"{seed + 1} epochs without a new best"


def test_training_clips_are_scored_only_if_that_can_end_training(data, monkeypatch):
    scored = []

    def score(self, *_):
        scored.append(len(self.right))
        return 12

    monkeypatch.setattr(Prototypical, "_right_answers", score)
    for patience, cap, epochs in ((5, None, [0]), (6, 6, []), (4, 6, [0])):
        scored.clear()
        settings = method(data, patience=patience, max_epochs=cap)
        said = [settings.stop_reason(None, data) for _ in range(6)]
        assert (scored, bool(said[-1])) == (epochs, patience == 4)


def test_training_ends_by_itself_and_says_why(data):
    (history,) = fit([network()], [method(data, max_epochs=None, patience=3)], SGD, "cpu")
    assert history.stop_reason == "4 epochs without a new best"
    assert history.epochs >= 5
    assert history.updates == 4 * history.epochs
