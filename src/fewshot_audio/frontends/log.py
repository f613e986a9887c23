"""Logarithmic compression of the mel spectrogram, fixed and learned.

Source of log-EPS and log-learn: Pons, Serrà & Serra, arXiv 1810.10274, appendix A.3.
"""

from abc import abstractmethod
from math import log, nan
from sys import float_info
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from fewshot_audio.frontends.base import Compression, Frontend
from fewshot_audio.frontends.checks import check_choice, check_count, check_number, check_positive
from fewshot_audio.frontends.compressed_mel import CompressedMel
from fewshot_audio.frontends.diagnostics import before_and_after, medians
from fewshot_audio.frontends.loudness import Normalize, checked
from fewshot_audio.frontends.mel import PowerMel

LOGARITHMS = {10: torch.log10, "e": torch.log}
Base = Literal[10, "e"]


class Log(Frontend):
    """Compress power mel X to log(alpha X + beta).

    Args:
        base: Base of the logarithm.
        n_bands: Bands of the mel spectrogram.
        mel: What makes it of waveforms in `forward`.
    """

    always_in_key = ("a", "b", "base", "alpha", "beta")

    def __init__(self, base: Base, n_bands: int, mel: PowerMel | None):
        check_choice("base", base, list(LOGARITHMS))
        super().__init__(n_bands, mel)
        self.logarithm = LOGARITHMS[base]

    @abstractmethod
    def alpha_and_beta(self) -> tuple[float | Tensor, float | Tensor]:
        """Return alpha and beta, numbers or one of each per band."""

    def compute(self, *inputs: Tensor) -> Tensor:
        alpha, beta = self.alpha_and_beta()
        return self.logarithm(alpha * inputs[0] + beta)

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """Return alpha, beta and beta / alpha, well below which X is flattened, in float64."""
        alpha, beta = (
            torch.as_tensor(each, dtype=torch.float64, device="cpu")
            for each in self.alpha_and_beta()
        )
        return {"alpha": alpha, "beta": beta, "beta/alpha": beta / alpha}

    def patch_statistics(self, patches: Tensor) -> dict[str, float]:
        """Return the share of values below beta / alpha, NaN where that is not finite."""
        floor = self.physical_parameters()["beta/alpha"].to(patches.device)
        share = (patches < floor).double().mean().item() if floor.isfinite().all() else nan
        return {"below beta/alpha": share}


class LogFixed(Log):
    """Compress power mel X to log(alpha X + beta) with fixed alpha and beta.

    Args:
        alpha: Above 0.
        beta: At least 0.
        base: Base of the logarithm.
        n_bands: Bands of the mel spectrogram.
        mel: What makes it of waveforms in `forward`.
    """

    def __init__(
        self, alpha: float, beta: float, base: Base, n_bands: int = 128, mel: PowerMel | None = None
    ):
        check_positive(alpha=alpha)
        check_number(beta=beta)
        if not beta >= 0:
            raise ValueError(f"beta={beta}: expected at least 0")
        super().__init__(base, n_bands, mel)
        self.alpha, self.beta = alpha, beta

    def alpha_and_beta(self) -> tuple[float, float]:
        return self.alpha, self.beta


class LogMel(LogFixed):
    """Compute the fixed log-mel spectrogram of the study, log-EPS: log10(X + eps) of power mel X.

    eps is the machine epsilon of float64.

    Args:
        sample_rate: Hz of the waveforms.
        n_bands: Mel bands, unless `mel` is given.
        mel: The mel spectrogram where it is another; None: `PowerMel(sample_rate, n_bands)`.
        normalize: "loudness": clips are made equally loud first, by `loudness.loud`; in `forward`.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_bands: int = 128,
        mel: PowerMel | None = None,
        normalize: Normalize = None,
    ):
        mel = PowerMel(sample_rate, n_bands) if mel is None else mel
        super().__init__(1.0, float_info.epsilon, 10, mel.n_bands, mel)
        self.normalize = checked(normalize)


class LearnedLog(Log):
    """Compress power mel X to log(alpha X + beta), alpha = exp(a), beta = softplus(b) learned."""

    a: Tensor
    b: Tensor

    def scales(self) -> dict[str, float]:
        """Return that a and b learn at the plain rate, as they are relative."""
        return {"a": 1.0, "b": 1.0}

    def alpha_and_beta(self) -> tuple[Tensor, Tensor]:
        return self.a.exp(), softplus(self.b)


class LogLearn(LearnedLog):
    """Compress power mel X to log(exp(a) X + softplus(b)), one a and one b learned.

    Args:
        sample_rate: Hz of the waveforms.
        n_bands: Mel bands.
        a: Start of a.
        b: Start of b.
        base: Base of the logarithm.
        mel: The mel spectrogram where it is another; None: `PowerMel(sample_rate, n_bands)`.
        normalize: "loudness": clips are made equally loud first, by `loudness.loud`; in `forward`.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_bands: int = 128,
        a: float = 7.0,
        b: float = 1.0,
        base: Base = "e",
        mel: PowerMel | None = None,
        normalize: Normalize = None,
    ):
        super().__init__(base, n_bands, PowerMel(sample_rate, n_bands) if mel is None else mel)
        self.normalize = checked(normalize)
        check_number(a=a, b=b)
        self.a, self.b = (nn.Parameter(torch.tensor(float(start))) for start in (a, b))

    def learned_scalars(self) -> dict[str, float]:
        return {name: value.item() for name, value in self.physical_parameters().items()}


class LogPerBand(LearnedLog):
    """Compress power mel X to log(exp(a) X + softplus(b)), an a and a b learned for each band.

    Args:
        a: Start of every a.
        b: Start of every b.
        base: Base of the logarithm.
        n_bands: Bands of the mel spectrogram.
    """

    def __init__(
        self, a: float, b: float, base: Base, n_bands: int = 128, mel: PowerMel | None = None
    ):
        check_number(a=a, b=b)
        super().__init__(base, n_bands, mel)
        self.a, self.b = (nn.Parameter(torch.full((n_bands,), float(start))) for start in (a, b))
        self.remember_start()

    def remember_start(self) -> None:
        self.before = self.physical_parameters()

    def learned_scalars(self) -> dict[str, float]:
        return medians(self.physical_parameters())

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.physical_parameters())


class Log1p(Compression):
    """Compress energies x to log(1 + 10^a x), an a learned for each band.

    Source: Schlüter & Gutenbrunner, arXiv 2207.05508.

    Args:
        n_bands: Bands of the energies.
        a: Start of every a.
    """

    framewise = True

    def __init__(self, n_bands: int, a: float):
        check_count(n_bands=n_bands)
        check_number(a=a)
        super().__init__()
        self.a = nn.Parameter(torch.full((n_bands,), float(a)))

    def scales(self) -> dict[str, float]:
        """Return that a learns at the plain rate, as it is relative."""
        return {"a": 1.0}

    def compress(self, energies: Tensor, frames: Tensor | None = None) -> Tensor:
        return torch.log1p(torch.exp(log(10) * self.a) * energies)

    def physical_parameters(self) -> dict[str, Tensor]:
        return {"a": self.a.detach().cpu().clone()}


class Log1pPerBand(CompressedMel):
    """Compress power mel X to log(1 + 10^a X), an a learned for each band.

    The nearest relative of log-learn in EfficientLEAF: its floor is 1 / 10^a.

    Args:
        a: Start of every a.
        n_bands: Bands of the mel spectrogram.
    """

    pointwise = True

    def __init__(self, a: float, n_bands: int = 128):
        super().__init__(Log1p(n_bands, a), n_bands)
