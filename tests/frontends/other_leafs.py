"""LEAF as other PyTorch programs define it, slow and independent of ours, for comparison.

Gabor kernels and pooling windows as stated in the article; zeros on both sides alike, a bias after
pooling, and PCEN's average in a loop. SpeechBrain and leaf-pytorch agree with it; names differ.
"""

import numpy as np
import torch


def spectrograms(waveforms, kernel, pooling, bias, pcen, sample_rate=16000):
    """Return (clips, filters, frames) in float64; all arguments are NumPy arrays.

    Args:
        waveforms: (clips, samples).
        kernel: Centres and widths (filters, 2).
        pooling: Widths (filters,).
        bias: (filters,).
        pcen: alpha, delta, root, smooth, each (filters,); None for no compression.
        sample_rate: Hz.
    """
    taps, hop = sample_rate * 25 // 1000 + 1, sample_rate * 10 // 1000
    before, after = (taps - 1) // 2, taps // 2
    limit = np.sqrt(2 * np.log(2)) / np.pi
    t = np.arange(taps) - taps // 2
    place = np.arange(taps) / (0.5 * (taps - 1)) - 1
    frames = -(-waveforms.shape[1] // hop)
    bands = []
    for (centre, width), share, offset in zip(kernel, pooling, bias, strict=True):
        centre, width = np.clip(centre, 0, np.pi), np.clip(width, 4 * limit, taps * limit)
        gabor = np.exp(-(t**2) / (2 * width**2) + 1j * centre * t) / (np.sqrt(2 * np.pi) * width)
        window = np.exp(-0.5 * (place / np.clip(share, 2 / taps, 0.5)) ** 2)
        rows = []
        for clip in waveforms:
            filtered = np.correlate(np.pad(clip, (before, after)), gabor.conj(), "valid")
            energy = np.pad(np.abs(filtered) ** 2, (before, after))
            rows.append([energy[n * hop : n * hop + taps] @ window for n in range(frames)])
        bands.append(np.array(rows) + offset)
    energies = np.maximum(np.stack(bands, 1), 1e-5)
    return energies if pcen is None else _pcen(energies, *(each[:, None] for each in pcen))


def _pcen(energies, alpha, delta, root, smooth):
    alpha, root, smooth = np.minimum(alpha, 1), np.maximum(root, 1), np.clip(smooth, 0, 1)
    average, averages = energies[..., :1], []
    for frame in np.split(energies, energies.shape[-1], -1):
        average = smooth * frame + (1 - smooth) * average
        averages.append(average)
    gained = energies / (1e-12 + np.concatenate(averages, -1)) ** alpha
    return (gained + delta) ** (1 / root) - delta ** (1 / root)


def random_state(names, filters, seed=0, bias=1.0):
    """A state_dict of trained weights, by the names of a program: kernel, pooling, bias, PCEN."""
    random = np.random.default_rng(seed)
    centres, widths = np.sort(random.uniform(-0.02, 3.2, filters)), random.uniform(1, 180, filters)
    values = [
        np.stack([centres, widths], 1),
        random.uniform(0.05, 0.55, (1, 1, filters, 1)),
        bias * random.uniform(0.001, 1.2, filters),
        random.uniform(0.5, 1.05, filters),
        random.uniform(1, 3, filters),
        random.uniform(0.9, 3, filters),
        random.uniform(0.01, 0.4, filters),
    ]
    return {
        name: torch.tensor(value, dtype=torch.float32)
        for name, value in zip(names, values, strict=True)
    }
