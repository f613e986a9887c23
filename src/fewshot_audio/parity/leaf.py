"""LEAF against files that the TensorFlow 2 reference gave."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.engine import Conv
from fewshot_audio.frontends.gabor import Gabor
from fewshot_audio.frontends.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.leaf import Leaf, LogOffset
from fewshot_audio.frontends.pcen import PCEN
from fewshot_audio.frontends.placement import Placement
from fewshot_audio.parity.checks import Arrays, Check, outputs, relative
from fewshot_audio.types import DataError

WINDOW = 25  # ms
KERNEL, POOLING = "kernel:0", "learnable_pooling/kernel:0"
COMPRESSION = {"alpha": "PCEN/alpha:0", "delta": "PCEN/delta:0", "root": "PCEN/root:0", "smooth": "PCEN/EMA/smooth:0"}


def leaf(arrays: Arrays) -> tuple[str, list[Check]]:
    """A LEAF file to what it is and its checks: outputs, the loss sum(out * cos(0, 1, 2 ...)) and its gradients, in float32."""
    waveforms, out = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["out"])
    rate, parameters = int(arrays["sample_rate"]), _parameters(arrays, "param/")
    hop = _hop(waveforms.shape[1], out.shape[1], rate)
    candidates = {name: _leaf(parameters, each, rate, hop) for name, each in _compressions(parameters).items()}
    found = {name: each.maps(waveforms[..., None]) for name, each in candidates.items()}
    name = min(found, key=lambda each: (found[each] - out).abs().max().item())  # nothing in a file tells log from none
    loss = (found[name].flatten() * torch.cos(torch.arange(out.numel()))).sum()
    loss.backward()
    checks = [*outputs(arrays, "out", found[name].detach(), 2e-5, floor=0.0), *outputs(arrays, "loss", loss.detach(), 1e-4)]
    gradients, reference = _gradients(candidates[name]), _parameters(arrays, "grad/")
    reference |= {"centres": reference[KERNEL][:, 0], "widths": reference.pop(KERNEL)[:, 1]}
    checks += [relative(f"gradient of {each}", gradients[each], reference[each].flatten(), 1e-4) for each in reference]
    return f"LEAF, {len(parameters[KERNEL])} filters, {name}, {rate} Hz, {hop} samples per frame", checks


def _parameters(arrays: Arrays, prefix: str) -> dict[str, Tensor]:
    """A file's parameters, or their gradients, by the end of TensorFlow's names. DataError for one that is not LEAF's."""
    parameters = {}
    for full, value in arrays.items():
        if full.startswith(prefix):
            ends = [end for end in (POOLING, *COMPRESSION.values()) if full.endswith(f"/{end}")]
            if not ends and full != f"{prefix}{KERNEL}":
                raise DataError(f"{full} is no parameter of LEAF")
            parameters[ends[0] if ends else KERNEL] = torch.from_numpy(value)
    return parameters


def _compressions(parameters: dict[str, Tensor]) -> dict[str, nn.Module]:
    if COMPRESSION["alpha"] in parameters:
        return {"PCEN": PCEN(**{ours: parameters[theirs].clone() for ours, theirs in COMPRESSION.items()})}
    return {"no compression": nn.Identity(), "log": LogOffset()}


def _leaf(parameters: dict[str, Tensor], compression: nn.Module, rate: int, hop: int) -> Leaf:
    taps = rate * WINDOW // 1000 + 1
    filters = Gabor(parameters[KERNEL][:, 0].clone(), parameters[KERNEL][:, 1].clone(), taps)
    pooling = GaussianLowpass(parameters[POOLING].flatten().clone(), taps)
    return Leaf(filters, pooling, compression, Conv(Placement(taps, hop, "tf")), rate)


def _hop(samples: int, frames: int, rate: int) -> int:
    """Samples per frame: 10 ms or a power of two, whichever gives that many frames. DataError where none does."""
    for hop in (rate * 10 // 1000, *(2**power for power in range(4, 15))):
        if -(-samples // hop) == frames:
            return hop
    raise DataError(f"out: {frames} frames of {samples} samples at {rate} Hz fit neither 10 ms nor a power of two per frame")


def _gradients(made: Leaf) -> dict[str, Tensor]:
    """The gradients of all parameters by the end of TensorFlow's names, the kernel's by column."""
    filters = {"centres": made.filters.centres.grad, "widths": made.filters.widths.grad, POOLING: made.pooling.widths.grad}
    learned = dict(made.compression.named_parameters())
    return filters | {COMPRESSION[ours]: parameter.grad for ours, parameter in learned.items()}
