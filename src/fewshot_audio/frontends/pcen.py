"""Per-channel energy normalisation (PCEN), and PCEN of the mel spectrogram as a frontend.

Source: Wang et al., arXiv 1607.05666, as in Zeghidour et al., arXiv 2101.08596.
"""

from collections.abc import Callable, Sequence
from math import exp, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fewshot_audio.frontends.base import Compression, Frontend
from fewshot_audio.frontends.bounds import within
from fewshot_audio.frontends.checks import check_count, check_number, check_positive
from fewshot_audio.frontends.compressed_mel import CompressedMel
from fewshot_audio.frontends.export import Smoothing
from fewshot_audio.frontends.layer import fixed
from fewshot_audio.frontends.loudness import Normalize, checked
from fewshot_audio.frontends.mel import PowerMel

EPSILON = 1e-12
# the source has no bound: below -7, powers of 1e-5 overflow, and gradients are NaN
LEAST_ALPHA = -2


class PCEN(Compression):
    """Compress x to (x / (floor + M)^alpha + delta)^(1 / root) - delta^(1 / root), M smoothed x.

    M_t = smooth x_t + (1 - smooth) M_(t-1) begins with the first frame. alpha, delta, root and
    smooth are learned for each band, and kept where the function is real: alpha in [-2, 1], delta
    above 0, root at least 1, smooth in [0, 1].

    Args:
        n_bands: Bands of the energies.
        alpha: Start of every alpha.
        delta: Start of every delta.
        root: Start of every root.
        smooth: Start of every smooth, the weight of a new frame; see `smoothing_weight`.
        floor: Added to the smoothed energies.
    """

    comes_back = True  # from beyond bounds

    def __init__(
        self,
        n_bands: int,
        alpha: float = 0.96,
        delta: float = 2.0,
        root: float = 2.0,
        smooth: float = 0.04,
        floor: float = EPSILON,
    ):
        check_count(n_bands=n_bands)
        check_positive(delta=delta, floor=floor)
        check_number(alpha=alpha, root=root, smooth=smooth)
        if not alpha <= 1:
            raise ValueError(f"alpha={alpha}: expected at most 1")
        if not root >= 1:
            raise ValueError(f"root={root}: expected at least 1")
        if not 0 <= smooth <= 1:
            raise ValueError(f"smooth={smooth}: expected 0 to 1")
        super().__init__()
        self.n_bands, self.floor = n_bands, floor
        self.alpha = nn.Parameter(torch.full((n_bands,), float(alpha)))
        self.delta = nn.Parameter(torch.full((n_bands,), float(delta)))
        self.root = nn.Parameter(torch.full((n_bands,), float(root)))
        self.smooth = nn.Parameter(torch.full((n_bands,), float(smooth)))

    def bounded(self) -> dict[str, Tensor]:
        """Return the four parameters (bands,) within their bounds, by name."""
        return {
            "alpha": within(self.alpha, LEAST_ALPHA, 1, self.comes_back),
            "delta": within(self.delta, EPSILON, None, self.comes_back),
            "root": within(self.root, 1, None, self.comes_back),
            "smooth": within(self.smooth, 0, 1, self.comes_back),
        }

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the size of the four parameters, at least 0.01."""
        sizes = {name: value.abs().median().item() for name, value in self.bounded().items()}
        return {name: max(size, 0.01) for name, size in sizes.items()}

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        return {name: value.cpu().clone() for name, value in self.bounded().items()}

    def compress(self, energies: Tensor, frames: Tensor | None = None) -> Tensor:
        smoothed = smoothed_at_once if self.in_stack else smoothed_over_frames
        return self.gained(energies, smoothed(energies, self.bounded()["smooth"]))

    def gained(self, energies: Tensor, smoothed: Tensor) -> Tensor:
        """Return the compressed energies, given the smoothed ones."""
        alpha, delta, root, _ = self.bounded().values()
        gained = energies / (self.floor + smoothed) ** alpha
        return (gained + delta) ** (1 / root) - delta ** (1 / root)

    def stream(self) -> Callable[[Tensor], Tensor]:
        return _Streamed(self)

    def for_export(self) -> Smoothing:
        return Smoothing(fixed(self))


class _Streamed:
    """PCEN of energies that come bit by bit."""

    def __init__(self, pcen: PCEN):
        self.pcen = pcen
        self.last: list[Tensor] = []  # smoothed frame; as the first one it is its own average

    def __call__(self, energies: Tensor) -> Tensor:
        given = torch.cat([*self.last, energies], 1)
        smoothed = smoothed_over_frames(given, self.pcen.bounded()["smooth"])[:, len(self.last) :]
        self.last = [smoothed[:, -1:]]
        return self.pcen.gained(energies, smoothed)


class MelPCEN(CompressedMel):
    """Compress power mel spectrograms of whole clips by PCEN, in float32 also under autocast.

    The mel + PCEN baseline of Zeghidour et al., arXiv 2101.08596.

    Args:
        sample_rate: Hz of the waveforms.
        n_bands: Mel bands.
        alpha: As in `PCEN`, as the next ones.
        delta: See above.
        root: See above.
        smooth: See above.
        floor: See above.
        mel: The mel spectrogram where it is another; None: `PowerMel(sample_rate, n_bands)`.
        normalize: "loudness": clips are made equally loud first, by `loudness.loud`; in `forward`.
    """

    always_in_key = ("alpha", "delta", "root", "smooth", "floor")

    def __init__(
        self,
        sample_rate: int = 16000,
        n_bands: int = 128,
        alpha: float = 0.96,
        delta: float = 2.0,
        root: float = 2.0,
        smooth: float = 0.04,
        floor: float = 1e-6,
        mel: PowerMel | None = None,
        normalize: Normalize = None,
    ):
        mel = PowerMel(sample_rate, n_bands) if mel is None else mel
        super().__init__(PCEN(n_bands, alpha, delta, root, smooth, floor), n_bands, mel)
        self.normalize = checked(normalize)

    def represent(self, frontends: Sequence[Frontend]) -> bool:
        self.compression.in_stack = True
        return True


def smoothing_weight(time_constant: float, hop: int, sample_rate: int) -> float:
    """Return the weight of a new frame that gives smoothing a time constant.

    Args:
        time_constant: Seconds.
        hop: Samples between frames.
        sample_rate: Hz.
    """
    check_positive(time_constant=time_constant, hop=hop, sample_rate=sample_rate)
    return 1 - exp(-hop / sample_rate / time_constant)


def smoothed_over_frames(x: Tensor, weight: Tensor) -> Tensor:
    """Return the exponential moving average M_t = w x_t + (1 - w) M_(t-1), M_(-1) = x_0.

    Of x (clips, frames, bands) with a weight w for each band.
    A loop over frames would take `frames` steps. This takes two loops of about sqrt(frames) steps:
    the first smooths all blocks of sqrt(frames) frames at once, as if zeros came before each block;
    the second carries the average from block to block. What enters a block fades within it.
    """
    frames, keep = x.shape[1], 1 - weight
    size = max(1, round(sqrt(frames)))
    blocks = pad(x, (0, 0, 0, -frames % size)).unflatten(1, (-1, size))
    average = torch.zeros_like(blocks[:, :, 0])  # (clips, blocks, bands)
    inside = []
    for frame in blocks.unbind(2):
        average = torch.lerp(average, frame, weight)
        inside.append(average)
    carried, entering = x[:, 0], []
    for end in average.unbind(1):
        entering.append(carried)
        carried = end + carried * keep**size
    steps = torch.arange(1, size + 1, device=x.device, dtype=x.dtype)
    fading = keep ** steps[:, None]  # (size, bands)
    smoothed = torch.stack(inside, 2) + torch.stack(entering, 1)[:, :, None] * fading
    return smoothed.flatten(1, 2)[:, :frames]


def smoothed_at_once(x: Tensor, weight: Tensor) -> Tensor:
    """Return what `smoothed_over_frames` does, by few products of matrices instead of two loops.

    A GPU waits for the steps of the loops. Rounding differs.
    """
    frames, keep = x.shape[1], 1 - weight
    size = max(1, round(sqrt(frames)))
    blocks = pad(x, (0, 0, 0, -frames % size)).unflatten(1, (-1, size)).permute(3, 0, 1, 2)
    rows = (weight[:, None, None, None] * blocks).flatten(1, 2)  # (bands, clips * blocks, size)
    inside = (rows @ _fading(keep, size)).view(blocks.shape)
    before = torch.cat([x[:, 0].T[..., None], inside[..., :-1, -1]], 2)  # what ends before a block
    entering = before @ _fading(keep**size, blocks.shape[2])
    steps = torch.arange(1, size + 1, device=x.device)
    smoothed = inside + entering[..., None] * (keep[:, None] ** steps)[:, None, None]
    return smoothed.flatten(2)[..., :frames].permute(1, 2, 0)


def _fading(keep: Tensor, size: int) -> Tensor:
    """Return what is left of each step's value at each later one (bands, size, size)."""
    steps = torch.arange(size, device=keep.device)
    return (keep[:, None, None] ** (steps - steps[:, None]).clamp(min=0)).triu()
