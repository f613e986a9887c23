"""What the engine `fast` chooses by clips: by call, and saved with the weights."""

from typing import Any

import torch
from torch import Tensor

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.layer import LOW_PRECISION, check_waveform, dtype_of, fixed, wide_dtype
from fewshot_audio.frontends.loudness import loud


class Calibrated(Frontend):
    """A frontend with an engine that may choose by clips what it leaves out."""

    engine: Engine

    @torch.no_grad()
    def calibrate_on(self, waveform: Tensor) -> None:
        """Let the engine `fast` choose its bands by some clips; other engines need none.

        Call it before training, from time to time as filters move, and after training; where
        several processes train, in each of them with the same clips. The choice is saved with the
        weights.

        Args:
            waveform: Samples in [-1, 1] (clips, time), eight clips or more that stand for the rest.

        Raises:
            ValueError: For another shape or dtype, or samples that are not finite.
        """
        check_waveform(waveform, None)
        if waveform.ndim != 2 or not waveform.numel() or not waveform.isfinite().all():
            raise ValueError(
                f"waveform: {tuple(waveform.shape)}; expected (clips, time), all samples finite"
            )
        wide = fixed(self) if dtype_of(self) in LOW_PRECISION else self
        clips = waveform.to(wide_dtype(self))
        lengths = torch.full((len(clips),), clips.shape[1], device=clips.device)
        clips = loud(clips, lengths) if self.normalize == "loudness" else clips
        wide.calibrate(*wide.prepare(clips[..., None], lengths))
        if wide is not self:
            self.engine.restore(wide.engine.state())

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in self.engine.state().items():
            destination[f"{prefix}engine.{name}"] = value

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Take parameters, and what calibration chose where that was stored.

        Where it was not, nothing is chosen any more, unless weights are missing too.
        """
        start = f"{prefix}engine."
        stored = {name: each for name, each in state_dict.items() if name.startswith(start)}
        rest = {name: each for name, each in state_dict.items() if name not in stored}
        super()._load_from_state_dict(rest, prefix, *others)
        chosen = stored.get(f"{start}rungs", torch.empty(self.n_bands))
        if len(chosen) != self.n_bands:
            others[-1].append(f"{start}rungs: of {len(chosen)} filters; expected {self.n_bands}")
        elif stored or {f"{prefix}{name}" for name, _ in self.named_parameters()} <= set(rest):
            self.engine.restore({name.removeprefix(start): each for name, each in stored.items()})
