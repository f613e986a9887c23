"""Small banks and clips of many sizes, for tests of engines."""

import torch

from fewshot_audio.frontends.filterbank.gabor import Gabor
from fewshot_audio.frontends.filterbank.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.filterbank.init import initial

CASES = [  # rate, filters, hop, align, clips' samples
    (8000, 6, 80, "centre", (2000, 900, 400)),
    (16000, 10, 160, "tf", (9000, 9111, 500)),
    (16000, 10, 512, "centre", (16000, 1)),
    (22050, 8, 512, "centre", (30000, 29999)),
    (44100, 8, 1024, "tf", (40000, 50000, 2205)),
    (48000, 8, 480, "centre", (30000,)),
]


def parts(rate, filters, dtype=torch.float32):
    taps = rate * 25 // 1000 + 1
    centres, widths = initial("mel", filters, 60, rate / 2, rate)
    random = torch.Generator().manual_seed(0)
    pooling = 0.1 + 0.4 * torch.rand(filters, generator=random, dtype=dtype)
    return Gabor(centres.to(dtype), widths.to(dtype), taps), GaussianLowpass(pooling, taps), taps


def batch(samples, dtype=torch.float32):
    random = torch.Generator().manual_seed(1)
    clips = [torch.randn(length, generator=random, dtype=dtype) * 0.1 for length in samples]
    return torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), torch.tensor(samples)


def energies_and_gradients(engine, gabor, pooling, waveforms, lengths):
    """Energies of each clip's own frames, and the gradients of a random sum of them."""
    parameters = [*gabor.parameters(), *pooling.parameters()]
    found = engine.energies(torch.complex(*gabor()), pooling(), *engine.prepare(waveforms, lengths))
    own = [
        clip[: engine.placement.frames(length)]
        for clip, length in zip(found, lengths.tolist(), strict=True)
    ]
    random = torch.Generator().manual_seed(2)
    total = sum(
        (clip * torch.randn(clip.shape, generator=random, dtype=clip.dtype).to(clip.device)).sum()
        for clip in own
    )
    return torch.cat(own).detach(), torch.autograd.grad(total, parameters)


def distance(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()
