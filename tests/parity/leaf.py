"""LEAF and its relatives against reference values of the TensorFlow 2 code."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.bounds import use_plain_clamps
from fewshot_audio.frontends.filterbank.compression import FrameNorm, LogOffset, NoCompression
from fewshot_audio.frontends.filterbank.engines.conv import Conv
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified, RectifiedMaximum
from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.frontends.filterbank.filters import Free, Gabor
from fewshot_audio.frontends.filterbank.framing import Align, Placement
from fewshot_audio.frontends.filterbank.pooling import GaussianLowpass, Largest, SharedWindow
from fewshot_audio.frontends.filterbank.sinc import UNIT, Sinc
from fewshot_audio.frontends.pcen import PCEN
from fewshot_audio.types import DataError
from parity.checks import Arrays, Check, outputs, relative

WINDOW = 25  # ms
SINC_RATE = 16000  # Hz, in which the reference's SincNet counts, whatever the rate of the waveform
SINC_FLOOR = 1e-6  # of the PCEN of SincNet+
KERNEL, POOLING = "kernel:0", "learnable_pooling/kernel:0"
FREE, WINDOWS = "tfbanks_complex_conv/kernel:0", "learnable_pooling/conv2d/kernel:0"
PCEN_NAMES = {
    "alpha": "PCEN/alpha:0",
    "delta": "PCEN/delta:0",
    "root": "PCEN/root:0",
    "smooth": "PCEN/EMA/smooth:0",
}
CELL = (
    "PCEN/simple_rnn/simple_rnn_cell/kernel:0",
    "PCEN/simple_rnn/simple_rnn_cell/recurrent_kernel:0",
)
NORM = {"gamma": "layer_normalization/gamma:0", "beta": "layer_normalization/beta:0"}
KNOWN = (POOLING, FREE, WINDOWS, *PCEN_NAMES.values(), *CELL, *NORM.values())
Parameters = dict[str, Tensor]


class Cell(Compression):
    """PCEN whose smoothing is a linear cell of full matrices, as the reference's fixed one is."""

    def __init__(self, pcen: PCEN, kernel: Tensor, recurrent: Tensor):
        super().__init__()
        self.pcen, self.kernel, self.recurrent = pcen, nn.Parameter(kernel), nn.Parameter(recurrent)

    def compress(self, energies: Tensor, frames: Tensor) -> Tensor:
        alpha, delta, root, _ = self.pcen.bounded().values()
        state, smoothed = energies[:, 0], []
        for frame in energies.unbind(1):
            state = frame @ self.kernel + state @ self.recurrent
            smoothed.append(state)
        gained = energies / (self.pcen.floor + torch.stack(smoothed, 1)) ** alpha
        return (gained + delta) ** (1 / root) - delta ** (1 / root)


def leaf(arrays: Arrays) -> tuple[str, list[Check]]:
    """Return what a file of LEAF's family is, and its checks, in float32.

    Outputs, the loss sum(out * cos(0, 1, 2 ...)) and its gradients; to LEAF's tolerances, or to
    those of its relatives.
    """
    parameters, rate = _parameters(arrays, "param/"), int(arrays["sample_rate"])
    waveforms, out = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["out"])
    kind = _kind(parameters)
    align: Align = "valid" if kind == "td_fbanks" else "tf"
    hop = _hop(waveforms.shape[1], out.shape[1], rate, rate * WINDOW // 1000 + 1, align)
    builder = {"td_fbanks": _free, "LEAF": _gabor, "SincNet": _sinc}[kind]
    candidates, spectrograms = {}, {}
    for name, compression in _compressions(parameters).items():
        made = builder(parameters, compression, rate, hop, align)
        use_plain_clamps(made)
        candidates[name], spectrograms[name] = made, made.spectrogram(waveforms[..., None])
    # nothing in a file tells log from none
    name = min(spectrograms, key=lambda each: (spectrograms[each] - out).abs().max().item())
    loss = (spectrograms[name].flatten() * torch.cos(torch.arange(out.numel()))).sum()
    loss.backward()
    of_out, of_gradients = (2e-5, 1e-4) if kind == "LEAF" else (1e-4, 1e-3)
    checks = [
        *outputs(arrays, "out", spectrograms[name].detach(), of_out, floor=0.0),
        *outputs(arrays, "loss", loss.detach(), 1e-4),
    ]
    theirs, ours = _split(_parameters(arrays, "grad/")), _split(_gradients(candidates[name]))
    for each in theirs:
        checks.append(relative(f"gradient of {each}", ours[each], theirs[each], of_gradients))
    return f"{kind}, {out.shape[2]} filters, {name}, {rate} Hz, {hop} samples per frame", checks


def _kind(parameters: Parameters) -> str:
    if FREE in parameters:
        return "td_fbanks"
    return "LEAF" if set(parameters) <= {KERNEL, POOLING, *PCEN_NAMES.values()} else "SincNet"


def _parameters(arrays: Arrays, prefix: str) -> Parameters:
    """Return a file's parameters, or their gradients, by the end of TensorFlow's names.

    Raises:
        DataError: For one that is not known.
    """
    parameters = {}
    for full, value in arrays.items():
        if full.startswith(prefix):
            ends = [end for end in KNOWN if full.endswith(f"/{end}")]
            if not ends and full != f"{prefix}{KERNEL}":
                raise DataError(f"{full} is no parameter of LEAF or its relatives")
            parameters[ends[0] if ends else KERNEL] = torch.from_numpy(value)
    return parameters


def _compressions(parameters: Parameters) -> dict[str, Compression]:
    """Return what the compression can be, by name."""
    if NORM["gamma"] in parameters:
        norm = FrameNorm(len(parameters[NORM["gamma"]]))
        norm.load_state_dict({ours: parameters[theirs].clone() for ours, theirs in NORM.items()})
        return {"norm over bands": norm}
    if PCEN_NAMES["alpha"] not in parameters:
        return {"no compression": NoCompression(), "log": LogOffset()}
    learned_smoothing = PCEN_NAMES["smooth"] in parameters
    floor = {} if learned_smoothing else {"floor": SINC_FLOOR}
    pcen = PCEN(len(parameters[PCEN_NAMES["alpha"]]), **floor)
    for ours, theirs in PCEN_NAMES.items():
        if theirs in parameters:
            getattr(pcen, ours).data = parameters[theirs].clone()
    if learned_smoothing:
        return {"PCEN": pcen}
    return {"PCEN with fixed smoothing": Cell(pcen, *(parameters[name].clone() for name in CELL))}


def _gabor(
    parameters: Parameters, compression: Compression, rate: int, hop: int, align: Align
) -> Filterbank:
    filters = Gabor(len(parameters[KERNEL]), rate, WINDOW)
    made = Filterbank(filters, GaussianLowpass, compression, Conv, hop, align)
    filters.centres.data, filters.widths.data = parameters[KERNEL].T.clone()
    made.pooling.widths.data = parameters[POOLING].flatten().clone()
    return made


def _free(
    parameters: Parameters, compression: Compression, rate: int, hop: int, align: Align
) -> Filterbank:
    taps = parameters[FREE][:, 0].T  # real and imaginary parts take turns
    filters = Free(len(taps) // 2, rate, WINDOW)
    made = Filterbank(filters, SharedWindow, compression, Conv, hop, align)
    filters.real.data, filters.imaginary.data = taps[::2].clone(), taps[1::2].clone()
    made.pooling.window.data = parameters[WINDOWS].flatten().clone()
    return made


def _sinc(
    parameters: Parameters, compression: Compression, rate: int, hop: int, align: Align
) -> Filterbank:
    filters = Sinc(len(parameters[KERNEL]), SINC_RATE, 1000 * (rate * WINDOW // 1000) / SINC_RATE)
    gaussian = POOLING in parameters
    pooling, engine = (GaussianLowpass, Rectified) if gaussian else (Largest, RectifiedMaximum)
    made = Filterbank(filters, pooling, compression, engine, hop, align)
    filters.low.data, filters.band.data = (column.clone() / UNIT for column in parameters[KERNEL].T)
    if gaussian:
        made.pooling.widths.data = parameters[POOLING].flatten().clone()
    return made


def _hop(samples: int, frames: int, rate: int, taps: int, align: Align) -> int:
    """Return the samples per frame that give so many frames.

    10 ms or another whole number of ms, a power of two, or the roundest other number.

    Raises:
        DataError: Where none does.
    """
    in_ms = [rate * ms // 1000 for ms in (10, *range(1, 101))]
    others = sorted(range(1, samples + 1), key=lambda hop: (-(hop & -hop), hop))
    for hop in (*in_ms, *(2**power for power in range(4, 15)), *others):
        if hop and Placement(taps, hop, align).frames(samples) == frames:
            return hop
    raise DataError(
        f"out: no number of samples per frame gives {frames} frames of {samples} samples"
    )


def _gradients(made: Filterbank) -> Parameters:
    """Return the gradients of all parameters by the end of TensorFlow's names, in its shapes."""
    filters, compression = made.filters, made.compression
    if isinstance(filters, Free):
        real, imaginary = filters.real.grad, filters.imaginary.grad
        return {
            FREE: torch.stack([real, imaginary], 1).flatten(0, 1).T[:, None],
            WINDOWS: made.pooling.window.grad,
        }
    first, second = (parameter.grad for parameter in filters.parameters())
    found = {KERNEL: torch.stack([first, second], 1) / (UNIT if isinstance(filters, Sinc) else 1)}
    if isinstance(made.pooling, GaussianLowpass):
        found[POOLING] = made.pooling.widths.grad
    pcen = compression.pcen if isinstance(compression, Cell) else compression
    names = NORM if isinstance(compression, FrameNorm) else PCEN_NAMES
    found |= {
        names[ours]: parameter.grad
        for ours, parameter in pcen.named_parameters()
        if parameter.grad is not None
    }
    cell = (
        (compression.kernel.grad, compression.recurrent.grad)
        if isinstance(compression, Cell)
        else ()
    )
    return found | dict(zip(CELL, cell, strict=False))


def _split(gradients: Parameters) -> Parameters:
    """Return gradients as vectors; a kernel's two columns, which differ in their units, as two."""
    found = {name: value.flatten() for name, value in gradients.items() if name != KERNEL}
    columns = {
        f"column {place} of {KERNEL}": column
        for place, column in enumerate(gradients.get(KERNEL, torch.empty(0, 2)).T)
    }
    return found | {name: column for name, column in columns.items() if KERNEL in gradients}
