"""Pooling: windows that turn filtered samples into frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, max_pool1d, pad

from fewshot_audio.frontends.bounds import within
from fewshot_audio.frontends.checks import check_count, check_number, check_whole
from fewshot_audio.frontends.layer import alone

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    PerFilter = Float[Tensor, " filters"]


class Pooling(nn.Module, ABC):
    """Windows over the energies of filters.

    Args:
        n_filters: How many filters there are.
        taps: Samples of a window.

    Attributes:
        tapwise: Whether each tap is a parameter.
        maximum: Whether a frame is the largest sample under its window, and not a weighted sum.
        bias: What is added to the frames of each filter (filters,), None for nothing.
    """

    tapwise = False
    maximum = False
    bias: Tensor | None

    def __init__(self, n_filters: int, taps: int):
        check_count(n_filters=n_filters, taps=taps)
        super().__init__()
        self.n_filters, self.taps = n_filters, taps
        self.register_parameter("bias", None)

    def forward(self, energies: Float[Tensor, "... filters time"], hop: int) -> Tensor:
        """Return frames (..., filters, 1 + time // hop), frame t centred on sample t * hop.

        Args:
            energies: Squared or rectified outputs of filters; zeros are taken around them.
            hop: Samples between frames.
        """
        check_whole(hop=hop)
        return alone(self, self._pooled, energies, hop)

    def _pooled(self, energies: Tensor, hop: int) -> Tensor:
        time = energies.shape[-1]
        before = (self.taps - 1) // 2
        after = max(0, time // hop * hop + self.taps - before - time)
        clips = energies.flatten(0, -3) if energies.ndim > 2 else energies[None]
        padded = pad(clips, (before, after))
        if self.maximum:
            pooled = max_pool1d(padded, self.taps, hop)
        else:
            windows = self.windows()[:, None]
            pooled = conv1d(padded, windows, self.bias, hop, groups=self.n_filters)
        frames = 1 + time // hop
        return pooled[..., :frames].reshape(*energies.shape[:-1], frames)

    @abstractmethod
    def windows(self) -> Float[Tensor, "filters taps"]:
        """Return the windows."""

    def in_samples(self) -> dict[str, PerFilter]:
        """Return the lengths that are learned, as standard deviations in samples, by name."""
        return {}

    def at_bound(self) -> Bool[Tensor, " filters"]:
        """Return which windows lie at a bound of a parameter, or beyond."""
        return torch.zeros(self.n_filters, dtype=torch.bool, device=self.windows().device)


class GaussianLowpass(Pooling):
    """A Gaussian for each filter, its width learned.

    Widths are standard deviations as shares of half the window, kept in [2 / taps, 0.5]. The
    windows are not normalised, so that the level depends on the sample rate, as in the source:
    Zeghidour et al., arXiv 2101.08596, and its code.

    Args:
        n_filters: How many.
        taps: Samples of a window.
        width: Start of every width.
        bias: Start of what is added to each filter's frames, None for nothing. The source has none;
            in some implementations it starts at 1, far above the energies of most sounds.
    """

    comes_back = True  # from beyond bounds

    def __init__(self, n_filters: int, taps: int, width: float = 0.4, bias: float | None = None):
        super().__init__(n_filters, taps)
        if not 2 / taps <= width <= 0.5:
            raise ValueError(f"width={width}: expected {2 / taps:.3g} (2 / {taps} taps) to 0.5")
        self.widths = nn.Parameter(torch.full((n_filters,), float(width)))
        if bias is not None:
            check_number(pooling_bias=bias)
            self.bias = nn.Parameter(torch.full((n_filters,), float(bias)))

    def bounded(self) -> PerFilter:
        """Return the widths within their bounds."""
        return within(self.widths, 2 / self.taps, 0.5, self.comes_back)

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the width."""
        return {"widths": self.bounded().median().item()}

    def windows(self) -> Float[Tensor, "filters taps"]:
        half = (self.taps - 1) / 2
        t = torch.arange(self.taps, device=self.widths.device, dtype=self.widths.dtype)
        place = (t - half) / half
        return torch.exp(-0.5 * (place / self.bounded()[:, None]) ** 2)

    def in_samples(self) -> dict[str, PerFilter]:
        return {"pooling": self.bounded() * (self.taps - 1) / 2}

    def at_bound(self) -> Bool[Tensor, " filters"]:
        return (self.widths <= 2 / self.taps) | (self.widths >= 0.5)


class SharedWindow(Pooling):
    """One window for all filters, every tap of it learned, from a squared Hann window on.

    Source: time-domain filterbanks, Zeghidour et al., arXiv 1711.01161.
    """

    tapwise = True

    def __init__(self, n_filters: int, taps: int):
        super().__init__(n_filters, taps)
        hann = torch.hann_window(taps, periodic=False, dtype=torch.float64)
        self.window = nn.Parameter(hann.square().to(torch.get_default_dtype()))

    def windows(self) -> Float[Tensor, "filters taps"]:
        return self.window.expand(self.n_filters, -1)

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the root mean square of the taps."""
        return {"window": self.window.square().mean().sqrt().item()}

    def in_samples(self) -> dict[str, PerFilter]:
        """Return the standard deviation of the size of the taps."""
        share = self.window.abs() / self.window.abs().sum()
        t = torch.arange(len(share), device=share.device, dtype=share.dtype)
        spread = (share * (t - (share * t).sum()).square()).sum().sqrt()
        return {"pooling": spread.expand(self.n_filters)}


class Largest(Pooling):
    """The largest sample under a window, as SincNet has it; nothing is learned.

    Source: Ravanelli & Bengio, arXiv 1808.00158.
    """

    maximum = True
    ones: Tensor

    def __init__(self, n_filters: int, taps: int):
        super().__init__(n_filters, taps)
        self.register_buffer("ones", torch.ones(n_filters, taps), persistent=False)

    def windows(self) -> Float[Tensor, "filters taps"]:
        return self.ones
