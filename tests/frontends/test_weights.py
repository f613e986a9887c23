"""Weights of other programs in our LEAF, and back: their outputs, and errors for other names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from other_leafs import random_state, spectrograms

from fewshot_audio.frontends import EfficientLeaf, GaborFilterbank, Leaf, MelGrid
from fewshot_audio.frontends.bounds import use_plain_clamps

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
FILES = ["leaf_16k_40_init", "leaf_16k_40_moved", "leaf_log_16k_40_moved", "leaf_linear_44k_128"]
PCEN = ("alpha", "delta", "root", "ema._weights")
PORTS = {
    "speechbrain": (
        *("complex_conv.kernel", "pooling.weights", "pooling._bias"),
        *(f"compression.{name}" for name in PCEN),
    ),
    "leaf_pytorch": (
        *("_complex_conv._kernel", "_pooling.weights", "_pooling._bias"),
        *(f"_compression.{name}" for name in PCEN),
    ),
}


POOLING = "leaf/learnable_pooling/kernel:0"


def assert_close(ours, theirs, tolerance):
    assert np.abs(ours.numpy() - theirs).max() < tolerance * np.abs(theirs).max()


def tensorflow(name):
    """Weights by TensorFlow's names, and all else of a file of reference values."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = dict(file)
    prefix = "param/"
    return {key[6:]: arrays[key] for key in arrays if key.startswith(prefix)}, arrays


def loaded(name, **settings):
    weights, arrays = tensorflow(name)
    rate = int(arrays["sample_rate"])
    settings |= {"hop_length": 1024} if rate == 44100 else {}
    if "_log_" in name:
        settings["compression"] = "log"
    return Leaf.from_leaf_audio(weights, sample_rate=rate, **settings), arrays


@pytest.mark.parametrize("name", FILES)
def test_the_authors_weights_give_their_outputs(name):
    made, arrays = loaded(name)
    use_plain_clamps(made)
    ours = made(torch.from_numpy(arrays["x"])).mT
    assert_close(ours.detach(), arrays["out"], 1e-5)
    (ours.flatten() * torch.cos(torch.arange(ours.numel()))).sum().backward()
    for parameter, key in ((made.pooling.widths, POOLING), (made.filters.centres, "kernel:0")):
        theirs = arrays[f"grad/{key}"].reshape(len(parameter), -1)[:, 0]
        assert_close(parameter.grad, theirs, 1e-4)
    assert made.report()["summary"]["largest drift, Hz"] == 0  # it starts where it was trained to


@pytest.mark.parametrize("name", FILES)
def test_the_authors_weights_come_back_to_the_bit(name, tmp_path):
    weights, _ = tensorflow(name)
    made, _ = loaded(name)
    np.savez(tmp_path / "weights.npz", **made.to_leaf_audio())
    with np.load(tmp_path / "weights.npz") as file:
        assert set(file.files) == set(weights)
        for key, value in weights.items():
            np.testing.assert_array_equal(file[key], value)
    settings = {"sample_rate": made.sample_rate, "hop_length": made.engine.placement.hop}
    again = Leaf.from_leaf_audio(tmp_path / "weights.npz", **settings)
    assert torch.equal(again.filters.widths, made.filters.widths)


def test_leaf_audio_s_own_start():
    weights, _ = tensorflow("leaf_16k_40_init")
    centres, widths = MelGrid().centres_and_widths(40, 16000)
    kernel = weights["kernel:0"]
    np.testing.assert_allclose(centres, kernel[:, 0], rtol=1e-6)
    np.testing.assert_allclose(widths, kernel[:, 1], rtol=1e-6)
    made = Leaf(init="mel_grid")
    np.testing.assert_allclose(made.filters.centres.detach(), kernel[:, 0], rtol=1e-6)


@pytest.mark.parametrize("rate", [16000, 22050])  # an odd and an even number of taps
@pytest.mark.parametrize("port", PORTS)
def test_weights_of_ports_give_their_outputs(port, rate):
    state = random_state(PORTS[port], 8)
    made = getattr(Leaf, f"from_{port}")(state, sample_rate=rate)
    waveforms = np.random.default_rng(0).normal(size=(2, rate // 4)) * 0.1
    kernel, pooling, bias, *pcen = (value.double().numpy() for value in state.values())
    theirs = spectrograms(waveforms, kernel, pooling.ravel(), bias, pcen, rate)
    with torch.no_grad():
        ours = made(torch.from_numpy(waveforms).float())
    assert ours.shape == theirs.shape
    assert_close(ours, theirs, 1e-5)


@pytest.mark.parametrize("port", PORTS)
def test_weights_of_ports_come_back_to_the_bit(port):
    state = random_state(PORTS[port], 8)
    back = getattr(getattr(Leaf, f"from_{port}")(state), f"to_{port}")()
    assert set(back) == set(state)
    for name, value in state.items():
        assert torch.equal(back[name], value), name


def test_speechbrain_itself():
    """Where it is installed; its start has the bias of 1."""
    features = pytest.importorskip("speechbrain.lobes.features")
    theirs = features.Leaf(40, in_channels=1)
    for scale in (1.0, 0.9):
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.mul_(scale)
            waveforms = torch.randn(2, 8000) * 0.1
            expected = theirs(waveforms).mT
            ours = Leaf.from_speechbrain(theirs.state_dict())(waveforms)
        assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()
    theirs.load_state_dict(Leaf.from_speechbrain(theirs.state_dict()).to_speechbrain())


def test_weights_of_a_calibrated_layer_can_be_given_away():
    made = Leaf(n_filters=6, engine="fast")
    made.calibrate_on(torch.randn(8, 4000))
    plain = Leaf(n_filters=6)
    plain.load_state_dict(made.state_dict())
    for port in ("leaf_audio", "speechbrain", "leaf_pytorch"):
        ours, same = (getattr(each, f"to_{port}")() for each in (made, plain))
        assert all(torch.equal(torch.as_tensor(ours[n]), torch.as_tensor(same[n])) for n in same)


def test_ports_without_pcen_or_bias():
    state = random_state(PORTS["speechbrain"], 8)
    few = dict(list(state.items())[:2])
    made = Leaf.from_speechbrain(few)
    assert made.pooling.bias is None
    waveform = torch.randn(1, 4000)
    kernel, pooling = (value.double().numpy() for value in few.values())
    theirs = spectrograms(waveform.numpy(), kernel, pooling.ravel(), np.zeros(8), None)
    with torch.no_grad():
        np.testing.assert_allclose(made(waveform), theirs, rtol=1e-4, atol=1e-6)


def test_a_bias_is_learned_and_added_after_pooling():
    made, plain = (Leaf(n_filters=8, compression="none", pooling_bias=bias) for bias in (0.5, None))
    waveform = torch.randn(1, 3200)
    values = made(waveform)
    torch.testing.assert_close(values, plain(waveform) + 0.5)
    values.sum().backward()
    assert made.pooling.bias.grad.tolist() == pytest.approx([21] * 8)
    energies = torch.rand(1, 8, 3200)
    pooled = made.pooling(energies, 160)
    torch.testing.assert_close(pooled, plain.pooling(energies, 160) + 0.5)


def test_errors_list_unknown_and_missing_names():
    state = random_state(PORTS["speechbrain"], 8)
    state["encoder.weight"] = state.pop("pooling.weights")
    del state["compression.root"]
    message = (
        "unknown names: encoder.weight; missing names: compression.root, pooling.weights; expected"
    )
    with pytest.raises(ValueError, match=message):
        Leaf.from_speechbrain(state)
    with pytest.raises(ValueError, match="missing names: kernel:0, leaf/learnable_pooling"):
        Leaf.from_leaf_audio(random_state(PORTS["speechbrain"], 8))
    state = random_state(PORTS["speechbrain"], 8)
    state["pooling._bias"] = torch.ones(7)
    with pytest.raises(ValueError, match=r"pooling._bias: \(7,\); expected 8 numbers"):
        Leaf.from_speechbrain(state)


def test_what_others_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="pooling.bias"):
        Leaf(pooling_bias=1.0).to_leaf_audio()
    with pytest.raises(ValueError, match="compression.log1p.a"):
        EfficientLeaf().to_speechbrain()
    assert "pooling._bias" in Leaf().to_speechbrain()
    assert len(Leaf(pooling_bias=0.0).to_leaf_audio()) == 6


def test_on_meta_weights_are_loaded_and_parts_need_values():
    weights = Leaf(n_filters=8).to_leaf_audio()
    with torch.device("meta"):
        assert all(each.is_meta for each in Leaf.from_leaf_audio(weights).parameters())
        with pytest.raises(ValueError, match=r"^filters: expected parts with values"):
            Leaf.from_parts(GaborFilterbank(8, 16000))
