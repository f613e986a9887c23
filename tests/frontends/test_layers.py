"""Every frontend that the package names behaves as modules do."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fewshot_audio.frontends import PCEN, EfficientLeaf, Leaf, LogMel, PowerMel, TDFilterbank
from fewshot_audio.frontends.filterbank.pooling import GaussianLowpass
from fewshot_audio.frontends.layer import fixed, wide_dtype
from layer_cases import MODULES, layer, noise
from layer_checks import CHECKS, EXCEPTIONS, SLOW, table
from marks import slow_but

MARKED = [
    pytest.param(check, marks=pytest.mark.slow) if check in SLOW else check for check in CHECKS
]
QUICK = ("Leaf", "LogLearn", "LogMel", "MelPCEN")
HOUR = """
import resource, torch
from fewshot_audio.frontends import EfficientLeaf, Leaf, TDFilterbank
torch.set_num_threads(1)
stream, used = Leaf().stream(), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
minute = 0.1 * torch.randn(60 * 16000)
frames = stream(minute).shape[-1]
before = used()
for _ in range(59):
    frames += stream(minute).shape[-1]
print(frames + stream.finish().shape[-1], used() - before)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("check", MARKED)
@pytest.mark.parametrize("name", slow_but(*QUICK, of=MODULES))
def test_layer(name, check):
    if (name, check) not in EXCEPTIONS:
        CHECKS[check](name)
        return
    with pytest.raises(ValueError, match=EXCEPTIONS[name, check]):
        CHECKS[check](name)


def test_the_documentation_holds_the_table():
    page = Path(__file__).parents[2] / "docs/layers.md"
    assert table() in page.read_text(encoding="utf-8")


def test_fast_is_exact_until_calibrated_then_within_tolerance():
    """A tone lets narrow bands lose most; the filters that it moves hardly count."""
    exact, fast = (Leaf(n_filters=8, compression="none", engine=each) for each in ("exact", "fast"))
    tone = 0.5 * torch.sin(2 * torch.pi * 1234 / 16000 * torch.arange(8000))[None]
    assert torch.equal(fast(tone), exact(tone))
    fast.calibrate_on(tone)
    errors = (fast(tone) - exact(tone)).square().mean(2).sqrt()
    assert 0 < (errors / exact(tone).mean(2).clamp(min=1e-5)).max() < 2e-3


@pytest.mark.parametrize("level", [1, 1e-2, 1e-3, 1e-4])
def test_calibration_hears_clips_as_loud_as_they_will_be(level):
    brown = level * noise(8).cumsum(1) / 30
    settings = {"n_filters": 8, "compression": "none", "normalize": "loudness"}
    exact, fast = (Leaf(engine=each, **settings) for each in ("exact", "fast"))
    fast.calibrate_on(brown)
    with torch.no_grad():
        energies, found = exact(brown), fast(brown)
    errors = ((found - energies) / energies.mean(2, keepdim=True))[..., 3:-3]  # beside the ends
    assert errors.square().mean((0, 2)).sqrt().max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_calibration_of_half_precision_is_that_of_its_weights(dtype):
    half = Leaf(n_filters=6, engine="fast").to(dtype)
    wide = fixed(half)
    for each in (half, wide):
        each.calibrate_on(noise(8))
    assert torch.equal(half.state_dict()["engine.rungs"], wide.state_dict()["engine.rungs"])


def test_calibration_refuses_what_stands_for_no_clips():
    fast = Leaf(n_filters=6, engine="fast")
    for clips in (noise(8)[0], noise(8)[None], noise(0), noise(8)[:, :0], noise(8) / 0):
        with pytest.raises(ValueError, match="^waveform: "):
            fast.calibrate_on(clips)


def test_calibration_survives_what_loads_no_engine():
    fast = Leaf(n_filters=6, engine="fast")
    fast.calibrate_on(noise(8))
    before = fast(noise(2))
    part = {name: each for name, each in fast.state_dict().items() if "pooling" in name}
    fast.load_state_dict(part, strict=False)
    assert torch.equal(fast(noise(2)), before)
    other = Leaf(n_filters=5, engine="fast")
    other.calibrate_on(noise(8))
    with pytest.raises(RuntimeError, match=r"engine.rungs: of 5 filters; expected 6"):
        fast.load_state_dict(other.state_dict())
    assert torch.equal(fast(noise(2)), before)


def test_what_calibration_chose_is_no_key_of_other_layers():
    fast = Leaf(n_filters=6, engine="fast")
    assert set(fast.state_dict()) == set(Leaf(n_filters=6).state_dict())
    fast.calibrate_on(noise(8))
    Leaf(n_filters=6).load_state_dict(fast.state_dict())
    fast.load_state_dict(Leaf(n_filters=6).state_dict())
    assert torch.equal(fast(noise(2)), Leaf(n_filters=6)(noise(2)))


def test_a_stream_says_what_it_cannot_do():
    with pytest.raises(ValueError, match='align="tf"'):
        Leaf(align="tf").stream()
    stream = Leaf(n_filters=6).stream()
    with pytest.raises(ValueError, match="no chunk came"):
        stream.finish()
    assert stream(torch.zeros(2, 10)).shape == (2, 6, 0)
    with pytest.raises(ValueError, match="chunk"):
        stream(torch.zeros(10))
    with pytest.raises(ValueError, match="int16"):
        stream(torch.zeros(2, 10, dtype=torch.int16))
    assert stream.finish().shape == (2, 6, 1)
    for step in (stream.finish, lambda: stream(torch.zeros(2, 10))):
        with pytest.raises(ValueError, match="the stream is over"):
            step()


def test_an_odd_n_fft_is_an_error():
    with pytest.raises(ValueError, match="n_fft=511: expected an even number"):
        PowerMel(n_fft=511)


@pytest.mark.parametrize("name", slow_but(*QUICK, of=MODULES))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_inference_forms_of_other_dtypes(name, dtype):
    made = layer(name).eval().to(dtype)
    clips = noise(2, dtype=wide_dtype(made))
    expected = fixed(made)(clips)  # of `fast` within its tolerance
    torch.testing.assert_close(made.for_export()(clips), expected, rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_no_samples_are_one_frame_of_mel_spectrograms(pad_mode):
    made = LogMel(mel=PowerMel(pad_mode=pad_mode))
    assert torch.equal(made(torch.zeros(2, 0)), made(torch.zeros(2, 1)))


@pytest.mark.parametrize("weights", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_compression_of_other_dtypes(weights, dtype):
    energies = torch.rand(2, 4, 30, generator=torch.Generator().manual_seed(0))
    expected = PCEN(4)(energies)
    found = PCEN(4).to(weights)(energies.to(dtype))
    assert found.dtype == dtype
    least = max(torch.finfo(weights).eps, torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
    torch.testing.assert_close(found.float(), expected, atol=2 * least, rtol=2 * least)


def test_pooling_of_no_clips():
    assert GaussianLowpass(4, 101)(torch.zeros(0, 4, 1000), 100).shape == (0, 4, 11)


def test_compression_of_no_frames():
    assert PCEN(40)(torch.zeros(2, 40, 0)).shape == (2, 40, 0)


def test_batches_without_a_frame_leave_statistics_finite():
    made = EfficientLeaf(n_filters=6, align="valid").train()
    made(noise(2), lengths=torch.tensor([100, 0]))
    assert all(each.isfinite().all() for each in made.buffers())


@pytest.mark.parametrize("comes_back", [True, False])
def test_pcen_is_one_function_in_training_and_after_loading(comes_back):
    made = PCEN(4, alpha=-3)
    made.comes_back = comes_back
    energies = torch.rand(1, 4, 50)
    torch.testing.assert_close(made(energies), PCEN(4, alpha=-2)(energies))


def test_first_and_worst_errors_of_fast_outlive_loading():
    fast, loaded = (Leaf(n_filters=6, engine="fast") for _ in range(2))
    fast.calibrate_on(noise(8))
    loaded.load_state_dict(fast.state_dict())
    for each in (fast, loaded):
        with torch.no_grad():
            each.filters.centres.mul_(1.1)
        each.calibrate_on(noise(8))
    assert loaded.report()["engine"] == fast.report()["engine"]


@pytest.mark.parametrize("kind", [EfficientLeaf, Leaf, TDFilterbank])
def test_a_clip_shorter_than_a_window_has_no_frame(kind):
    made = kind(n_filters=6, align="valid")
    assert made(torch.zeros(2, 400)).shape == (2, 6, 0)
    values, frames = made(noise(2), lengths=torch.tensor([1000, 100]))
    assert frames.tolist() == [4, 0]
    assert values.isfinite().all()


@pytest.mark.parametrize("align", ["centre", "symmetric", "tf", "valid"])
@pytest.mark.parametrize("hop", slow_but(350, of=[160, 350, 700]))
def test_inference_forms_of_other_settings(align, hop):
    settings = {"align": align, "hop_length": hop, "normalize": "loudness", "pooling_bias": 0.5}
    made = Leaf(n_filters=6, **settings).eval()
    for samples in (2800, 2801, 2799, 1999):
        clips = 0.1 * noise(2)[:, :samples]
        values, ours = made(clips), made.for_export()(clips)
        torch.testing.assert_close(ours, values, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="normalize=loudness: the gain"):
        made.stream()


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute():
    done = subprocess.run([sys.executable, "-c", HOUR], check=True, capture_output=True, text=True)
    frames, kib = map(int, done.stdout.split())
    assert frames == 1 + 3600 * 100
    assert kib < 30_000
