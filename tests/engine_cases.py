"""Small filterbanks and clips of many sizes, for tests of engines."""

import torch

from fewshot_audio.frontends.filterbank.filters import Gabor
from fewshot_audio.frontends.filterbank.init import Mel
from fewshot_audio.frontends.filterbank.pooling import GaussianLowpass

CASES = [  # rate, filters, hop, align, clips' samples
    (8000, 6, 80, "centre", (2000, 900, 400)),
    (16000, 10, 160, "tf", (9000, 9111, 500)),
    (16000, 10, 512, "centre", (16000, 1)),
    (22050, 8, 512, "centre", (30000, 29999)),
    (44100, 8, 1024, "tf", (15000, 18000, 2205)),
    (48000, 8, 480, "centre", (30000,)),
]


def parts(rate, filters, dtype=torch.float32):
    """Gabor filters, Gaussian windows of random widths, and their taps."""
    gabor = Gabor(filters, rate, init=Mel(60, rate / 2)).to(dtype)
    pooling = GaussianLowpass(filters, gabor.taps).to(dtype)
    random = torch.Generator().manual_seed(0)
    pooling.widths.data = 0.1 + 0.4 * torch.rand(filters, generator=random, dtype=dtype)
    return gabor, pooling, gabor.taps


def gabor_of(centres, widths, taps, dtype=torch.float32):
    """Gabor filters with given centres (rad/sample) and widths (samples)."""
    made = Gabor(len(centres), 1000, taps - 1).to(dtype)
    made.centres.data = torch.tensor(centres, dtype=dtype)
    made.widths.data = torch.tensor(widths, dtype=dtype)
    return made


def lowpass_of(widths, taps, dtype=torch.float32):
    """Gaussian windows of given widths."""
    made = GaussianLowpass(len(widths), taps).to(dtype)
    made.widths.data = torch.tensor(widths, dtype=dtype)
    return made


def batch(samples, dtype=torch.float32):
    random = torch.Generator().manual_seed(1)
    clips = [torch.randn(length, generator=random, dtype=dtype) * 0.1 for length in samples]
    return torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), torch.tensor(samples)


def energies_and_gradients(engine, gabor, pooling, waveforms, lengths):
    """Energies of each clip's own frames, and the gradients of a random sum of them."""
    parameters = [*gabor.parameters(), *pooling.parameters()]
    energies = engine.energies(
        gabor.impulse_responses(), pooling.windows(), *engine.prepare(waveforms, lengths)
    )
    own = [
        clip[: engine.placement.frames(length)]
        for clip, length in zip(energies, lengths.tolist(), strict=True)
    ]
    random = torch.Generator().manual_seed(2)
    total = 0
    for clip in own:
        weights = torch.randn(clip.shape, generator=random, dtype=clip.dtype)
        total = total + (clip * weights.to(clip.device)).sum()
    return torch.cat(own).detach(), torch.autograd.grad(total, parameters)


def distance(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def assert_close(ours, theirs, tolerance):
    """Assert that each tensor is within a tolerance, relative to the largest value of the other."""
    for one, other in zip(ours, theirs, strict=True):
        assert distance(one, other) < tolerance
