"""LEAF, with weights of other implementations, and EfficientLEAF's arrangement."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any, Literal, Unpack, get_args

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.checks import check_choice
from fewshot_audio.frontends.filterbank import weights as others
from fewshot_audio.frontends.filterbank.compression import LogOffset, LogTBN, NoCompression
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.conv import Conv
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.fast import Fast
from fewshot_audio.frontends.filterbank.filterbank import PARTS, Filterbank, Part
from fewshot_audio.frontends.filterbank.filters import Filters
from fewshot_audio.frontends.filterbank.framing import Align, Placement
from fewshot_audio.frontends.filterbank.named import Layout, Named, start
from fewshot_audio.frontends.filterbank.pooling import GaussianLowpass, Pooling
from fewshot_audio.frontends.layer import wide_dtype
from fewshot_audio.frontends.loudness import Normalize, checked
from fewshot_audio.frontends.pcen import PCEN

EngineName = Literal["exact", "fast", "conv"]
CompressionName = Literal["pcen", "log", "log_tbn", "none"]
ENGINES: dict[str, type[Engine]] = {"exact": Exact, "fast": Fast, "conv": Conv}


class Leaf(Named):
    """LEAF: Gabor filters, Gaussian pooling and PCEN, all learned.

    Source: Zeghidour et al., arXiv 2101.08596. Its own code places frames as `align="tf"` does.

    Args:
        sample_rate: Hz of the waveforms.
        n_filters: How many filters, the bands of the spectrogram.
        window_ms: Length of impulse responses and pooling windows.
        hop_ms: Between frames.
        compression: "pcen", "log", "log_tbn" or "none".
        engine: How it is computed: "exact", errors like those of rounding; "fast", errors of 0.1 %
            of a filter's energy after `calibrate_on`, "exact" before; "conv", plain convolutions,
            several times slower.
        pooling_bias: See `GaussianLowpass`; the source has none.
        **layout: See `Layout`.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        compression: CompressionName = "pcen",
        engine: EngineName = "exact",
        pooling_bias: float | None = None,
        **layout: Unpack[Layout],
    ):
        check_choice("compression", compression, get_args(CompressionName))
        check_choice("engine", engine, list(ENGINES))
        self.engine_class, self.compression_name = ENGINES[engine], compression
        if pooling_bias is not None:
            self.pooling_class = partial(GaussianLowpass, bias=pooling_bias)
        super().__init__(sample_rate, n_filters, window_ms, hop_ms, **layout)

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        if self.compression_name == "pcen":
            return PCEN(n_bands, smooth=smooth)
        if self.compression_name == "log_tbn":
            return LogTBN(n_bands)
        return LogOffset() if self.compression_name == "log" else NoCompression()

    @staticmethod
    def from_leaf_audio(weights: others.Weights | str | PathLike[str], **settings: Any) -> Leaf:
        """Return a LEAF with weights of the authors' TensorFlow code, whose outputs it gives.

        Args:
            weights: Arrays by the names of TensorFlow's variables, or an .npz file of them:
                `kernel:0` (filters, 2), `leaf/learnable_pooling/kernel:0`, `leaf/PCEN/alpha:0`,
                `leaf/PCEN/delta:0`, `leaf/PCEN/root:0` and `leaf/PCEN/EMA/smooth:0`. Those of PCEN
                may be absent.
            **settings: Arguments of `Leaf`, as `sample_rate`; those of lengths must be those of
                the weights. By default `align="tf"`, and without PCEN `compression="none"`.

        Raises:
            ValueError: Names are unknown or missing; it lists them.
        """
        return Leaf._loaded(weights, others.LEAF_AUDIO, {"align": "tf"} | settings)

    @staticmethod
    def from_speechbrain(weights: others.Weights, **settings: Any) -> Leaf:
        """Return a LEAF with weights of SpeechBrain's, whose outputs it gives.

        It has their pooling bias, and by default `align="symmetric"`.

        Args:
            weights: The state_dict of `speechbrain.lobes.features.Leaf`.
            **settings: As in `from_leaf_audio`.

        Raises:
            ValueError: Names are unknown or missing; it lists them.
        """
        return Leaf._loaded(weights, others.SPEECHBRAIN, {"align": "symmetric"} | settings)

    @staticmethod
    def from_leaf_pytorch(weights: others.Weights, **settings: Any) -> Leaf:
        """Return a LEAF with weights of leaf-pytorch's; all else as in `from_speechbrain`."""
        return Leaf._loaded(weights, others.LEAF_PYTORCH, {"align": "symmetric"} | settings)

    @staticmethod
    def _loaded(weights: Any, names: dict[str, str], settings: dict[str, Any]) -> Leaf:
        device = torch.empty(0).device  # that layers go to
        with torch.device("cpu"), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # trained filters may lie at bounds
            ours = others.named_as_ours(weights, names)
            made = Leaf(**{"compression": "none"} | settings | others.settings_of(ours))
            for name, value in ours.items():
                if name != others.KERNEL:  # it starts from the filters
                    made.get_parameter(name).copy_(value)
        made.remember_start()
        return made.to(device)

    def to_leaf_audio(self) -> dict[str, np.ndarray]:
        """Return the weights as `from_leaf_audio` takes them; `numpy.savez(path, **weights)`.

        Raises:
            ValueError: It has what the TensorFlow code has not: a pooling bias, log_tbn.
        """
        named = others.named_as_theirs(self, others.LEAF_AUDIO)
        return {name: value.to(wide_dtype(self)).numpy() for name, value in named.items()}

    def to_speechbrain(self) -> dict[str, Tensor]:
        """Return the weights as a state_dict of SpeechBrain's LEAF, whose frames are "symmetric".

        Raises:
            ValueError: The compression is log_tbn.
        """
        return others.named_as_theirs(self, others.SPEECHBRAIN)

    def to_leaf_pytorch(self) -> dict[str, Tensor]:
        """Return the weights as a state_dict of leaf-pytorch's; as `to_speechbrain`."""
        return others.named_as_theirs(self, others.LEAF_PYTORCH)

    @staticmethod
    def from_parts(
        filters: Filters,
        pooling: Pooling | Callable[[int, int], Pooling] = GaussianLowpass,
        compression: Compression | None = None,
        hop_length: int = 160,
        engine: EngineName | Callable[[Placement, bool], Engine] = "exact",
        align: Align = "centre",
        learn: Sequence[Part] = PARTS,
        normalize: Normalize = None,
    ) -> Filterbank:
        """Return a filterbank of parts, for ablations: see `Filterbank`.

        Args:
            filters: See `Filterbank`, as all that is not said here.
            pooling: A class of pooling or a partial of one, or a pooling with the filters' taps.
            compression: Without one it has PCEN.
            hop_length: Samples between frames.
            engine: As in `Leaf`, or a class of engine.
            align: See there.
            learn: See there.
            normalize: See `Layout`.
        """
        compression = PCEN(filters.n_filters) if compression is None else compression
        if isinstance(engine, str):
            check_choice("engine", engine, list(ENGINES))
            engine = ENGINES[engine]
        of_pooling = partial(_as_it_is, pooling) if isinstance(pooling, Pooling) else pooling
        made = Filterbank(filters, of_pooling, compression, engine, hop_length, align, learn)
        made.normalize = checked(normalize)
        start(made)
        return made


def _as_it_is(pooling: Pooling, n_filters: int, taps: int) -> Pooling:
    """Return a pooling; ValueError where it is not of these filters."""
    if (pooling.n_filters, pooling.taps) != (n_filters, taps):
        raise ValueError(
            f"pooling: of {pooling.n_filters} filters with {pooling.taps} taps; expected "
            f"{n_filters} with {taps}"
        )
    return pooling


class EfficientLeaf(Leaf):
    """EfficientLEAF's arrangement: log(1 + 10^a x) less its median, and batch norm over time.

    Its filters are those of LEAF, without the original's steps of level between groups of filters.
    The arguments are those of `Leaf`, but for `compression` and `pooling_bias`. Source: Schlüter &
    Gutenbrunner, arXiv 2207.05508.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        engine: EngineName = "exact",
        **layout: Unpack[Layout],
    ):
        super().__init__(sample_rate, n_filters, window_ms, hop_ms, "log_tbn", engine, **layout)
