"""Our networks against the study's own TensorFlow graphs: logits, costs, gradients and weights over five updates."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot_audio.frontends.log_fixed import LogFixed
from fewshot_audio.frontends.log_learn import LogLearn
from fewshot_audio.models.original import twins
from fewshot_audio.models.sb_cnn import SBCNN
from fewshot_audio.models.timbre import Timbre
from fewshot_audio.models.vgg import VGG
from fewshot_audio.train.network import Network
from fewshot_audio.train.supervised import Supervised

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "pons_sb_cnn_log_eps": (lambda: SBCNN(10, True), lambda: LogFixed(1, 2.220446049250313e-16, 10), 1e-3),
    "pons_vgg_log_eps": (lambda: VGG(10, 32), lambda: LogFixed(1, 2.220446049250313e-16, 10), 1e-2),
    "pons_timbre_log_learn": (lambda: Timbre(10), lambda: LogLearn(7, 1, "e"), 1e-3),
}


@pytest.mark.parametrize("case", CASES)
def test_five_updates_follow_the_original(case):
    file = dict(np.load(GOLDEN / f"{case}.npz"))
    classifier, frontend, tolerance = CASES[case]
    network = Network(frontend(), classifier())
    with torch.no_grad():
        for _, ours, theirs in twins(network, {k[5:]: v for k, v in file.items() if k.startswith("init/")}):
            ours.copy_(theirs)
    mel, labels = torch.from_numpy(file["mel"]), torch.from_numpy(file["labels"])
    torch.testing.assert_close(network.eval()(mel), torch.from_numpy(file["logits_eval_before"]), atol=1e-5, rtol=0)
    method = Supervised(epochs=1, batch_size=10, learning_rate=0.001, clip_norm=5, decay=0.001, test_hop=1)
    costs, norms = train(network.train(), method, mel, labels, steps=len(file["cost"]))
    np.testing.assert_allclose(costs[:3], file["cost"][:3], rtol=1e-4)
    np.testing.assert_allclose(norms[0], file["grad_norm"][0], rtol=1e-4)
    for name, ours, theirs in twins(network, {k[6:]: v for k, v in file.items() if k.startswith("after/")}):
        difference = (ours.detach() - theirs).norm()
        assert difference <= max(tolerance * theirs.norm(), 1e-4), name
    scale = np.abs(file["logits_eval_after"]).max()
    torch.testing.assert_close(network.eval()(mel), torch.from_numpy(file["logits_eval_after"]), atol=1e-2 * scale, rtol=0)


def train(network, method, mel, labels, steps):
    """Costs and gradient norms before clipping of some updates on one batch."""
    optimiser = torch.optim.SGD(network.parameters(), method.learning_rate)
    costs, norms = [], []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = method.loss(network, mel, labels, ())
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), method.clip_norm).item())
        costs.append(loss.item())
        optimiser.step()
    return costs, norms
