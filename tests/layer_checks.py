"""What every frontend must do as a layer: the checks of test_layers.py, and their table.

`python tests/layer_checks.py` prints the table that docs/layers.md holds.
"""

import copy
import pickle

import torch
from torch import nn

from layer_cases import BANDS, MODULES, SAMPLES, just_made, layer, noise
from layer_forms import compiled, exported, inference_form, onnx, stream, two_processes


def slope(function, inputs, step=1e-6, seed=3):
    """The derivative of a number along a random direction, by autograd and by differences."""
    random = torch.Generator().manual_seed(seed)
    ways = [torch.randn(each.shape, generator=random, dtype=each.dtype) for each in inputs]
    found = torch.autograd.grad(function(), inputs)
    values = []
    for sign in (1, -2):
        with torch.no_grad():
            for each, way in zip(inputs, ways, strict=True):
                each += sign * step * way
        values.append(function().item())
    with torch.no_grad():
        for each, way in zip(inputs, ways, strict=True):
            each += step * way
    ours = sum((each * way).sum().item() for each, way in zip(found, ways, strict=True))
    return ours, (values[0] - values[1]) / (2 * step)


def assert_equal_slopes(ours, theirs):
    assert abs(ours - theirs) < 1e-3 * abs(theirs) + 1e-9, (ours, theirs)


def gradient_of_the_waveform(name):
    made, clips = layer(name).double().eval(), noise(2, dtype=torch.float64).requires_grad_()
    assert_equal_slopes(*slope(lambda: made(clips).square().mean(), [clips]))


def second_derivatives(name):
    """Of a gradient penalty in training: with respect to the waveform and to what is learned."""
    made, clips = layer(name).double(), noise(2, dtype=torch.float64).requires_grad_()

    def penalty():
        values = made(clips).square().mean()
        (found,) = torch.autograd.grad(values, clips, create_graph=True)
        return 1e3 * found.square().sum()

    learned = [each for each in made.parameters() if each.requires_grad]
    for inputs in ([clips], learned[:1]):
        if inputs:
            assert_equal_slopes(*slope(penalty, inputs, 1e-9))  # so small that no rectifier turns


def nothing(name):
    """Empty batches, and clips without samples."""
    made = layer(name)
    frames = made(noise(2)).shape[-1]
    assert made(torch.zeros(0, SAMPLES)).shape == (0, BANDS, frames)
    for clips in (torch.zeros(2, 0), torch.zeros(2, 1)):
        assert made(clips).isfinite().all()


def silence_and_full_scale(name):
    made = layer(name)
    tone = torch.sin(torch.arange(SAMPLES) * 0.3)
    for clip in (torch.zeros(SAMPLES), torch.ones(SAMPLES), tone, tone.sign()):
        made.zero_grad()
        clips = torch.stack([clip, -clip]).requires_grad_()
        values = made(clips)
        values.mean().backward()
        assert values.isfinite().all()
        gradients = [each.grad for each in (clips, *made.parameters()) if each.grad is not None]
        assert all(each.isfinite().all() for each in gradients)


def nan_in_one_clip(name):
    made, clips = layer(name).eval(), noise(3)
    expected = made(clips)
    clips[1, 100] = torch.nan
    values = made(clips)
    torch.testing.assert_close(values[[0, 2]], expected[[0, 2]], rtol=1e-4, atol=1e-5)


def padding(name):
    made, clips, lengths = layer(name).eval(), noise(2), torch.tensor([SAMPLES, 1700])
    clips[1, 1700:] = torch.nan
    values, frames = made(clips, lengths)
    alone = made(clips[1, :1700])
    assert alone.shape[-1] == frames[1]
    torch.testing.assert_close(values[1, :, : frames[1]], alone, rtol=1e-4, atol=1e-5)
    assert not values[1, :, frames[1] :].any()


def any_leading_dimensions(name):
    made, clips = layer(name).eval(), noise(2, 3)
    values = made(clips)
    torch.testing.assert_close(values[1], made(clips[1]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(values[1, 2], made(clips[1, 2]), rtol=1e-4, atol=1e-5)


def autocast(name):
    made, clips = layer(name).eval(), noise(2)
    with torch.autocast("cpu", torch.bfloat16):
        values = made(clips)
    assert values.dtype == torch.bfloat16
    torch.testing.assert_close(values, made(clips).bfloat16(), rtol=0, atol=0)


def half_precision(name):
    for dtype in (torch.float16, torch.bfloat16):
        made, clips = layer(name).to(dtype), noise(2).to(dtype)
        values = made(clips)
        weights = list(made.parameters())
        assert values.dtype == dtype
        assert values.isfinite().all()
        if any(each.requires_grad for each in weights):
            values.float().mean().backward()
            assert all(each.grad is None or each.grad.isfinite().all() for each in weights)


def mixed_dtypes(name):
    made, clips = layer(name).eval(), noise(2)
    if list(made.parameters()):
        for dtype in (torch.float64, torch.float16):
            values = made(clips.to(dtype))
            assert values.dtype == torch.float32
            torch.testing.assert_close(values, made(clips.to(dtype).float()), rtol=1e-3, atol=1e-4)


def double(name):
    made, clips = layer(name).eval(), noise(2)
    values = copy.deepcopy(made).double()(clips.double())
    assert values.dtype == torch.float64
    assert (made(clips) - values).abs().max() < 1e-3 * values.abs().max()


def meta_device(name):
    """Moved there, or made there, where its weights come later."""
    made, clips = layer(name), noise(2)
    shape = made(clips).shape
    assert copy.deepcopy(made).to("meta")(clips.to("meta")).shape == shape
    with torch.device("meta"):
        other = just_made(name)
        assert all(each.is_meta for each in (*other.parameters(), *other.buffers()))
        assert other(torch.zeros(2, SAMPLES)).shape == shape
    other.to_empty(device="cpu").load_state_dict(made.state_dict())
    assert torch.equal(other.eval()(clips), made.eval()(clips))
    assert other.report().keys() == made.report().keys()


def copies(name):
    made = layer(name)
    values = made(noise(2).requires_grad_())
    values.sum().backward()
    made.eval()
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(other(noise(2)), made(noise(2)))


def state_dict(name):
    """Strict, into another start, also below a module; what was calibrated comes along."""
    made, other = nn.Sequential(layer(name)), nn.Sequential(layer(name))
    with torch.no_grad():
        for each in made.parameters():
            each *= 1.05
    if "fast" in name:
        made[0].calibrate_on(noise(8, seed=4).cumsum(1))
        other = nn.Sequential(MODULES[name](n_filters=BANDS))
    made(noise(2)), made.eval(), other.eval()
    other.load_state_dict(made.state_dict(), strict=True)
    assert torch.equal(other(noise(2)), made(noise(2)))


def sync_batch_norm(name):
    made, clips = layer(name), noise(2)
    expected = copy.deepcopy(made)(clips)
    assert torch.equal(nn.SyncBatchNorm.convert_sync_batchnorm(made)(clips), expected)


SLOW = {"exported", "onnx", "two processes"}
EXCEPTIONS = {("EfficientLeaf", "stream"): "a frame depends on the whole clip"}  # its median
CHECKS = {
    each.__name__.replace("_", " "): each
    for each in (
        gradient_of_the_waveform,
        second_derivatives,
        nothing,
        silence_and_full_scale,
        nan_in_one_clip,
        padding,
        any_leading_dimensions,
        autocast,
        half_precision,
        mixed_dtypes,
        double,
        meta_device,
        copies,
        state_dict,
        sync_batch_norm,
        compiled,
        stream,
        two_processes,
        inference_form,
        exported,
        onnx,
    )
}


def table():
    """The checks and frontends in Markdown; exceptions hold the message of their error."""
    rows = ["| check | " + " | ".join(MODULES) + " |", "|---" * (len(MODULES) + 1) + "|"]
    for check in CHECKS:
        cells = [EXCEPTIONS.get((name, check), "✓") for name in MODULES]
        rows.append(f"| {check} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
