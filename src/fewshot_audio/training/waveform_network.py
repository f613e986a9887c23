"""What trains on crops of waveforms: level, frontend, classifier; and its scores of whole clips."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.components import build, build_for
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.training.augmentation import WaveformAugmentation
from fewshot_audio.training.crops import Waveforms, window_starts
from fewshot_audio.training.evaluate import embedding
from fewshot_audio.training.methods.crops import CropMethod
from fewshot_audio.training.network import Network, build_augmentations, build_network
from fewshot_audio.types import Recipe

CALIBRATED_ON = 32  # crops


class WaveformNetwork(nn.Module):
    """Crops of waveforms (batch, time) to logits (batch, n_classes).

    Args:
        network: The frontend and the classifier, whose patches are the frames of a crop.
        method: How crops are levelled.
        augmentations: Of waveforms, one after the other.
        sample_rate: Hz.
    """

    def __init__(
        self,
        network: Network,
        method: CropMethod,
        augmentations: Sequence[WaveformAugmentation],
        sample_rate: int,
    ):
        super().__init__()
        self.network, self.method, self.sample_rate = network, method, sample_rate
        self.augmentations = nn.ModuleList(augmentations)

    def augmented(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return a training batch with all augmentations of waveforms."""
        for augmentation in self.augmentations:
            waveforms, targets = augmentation(waveforms, targets)
        return waveforms, targets

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the logits; in training with dropout and augmentations of spectrograms."""
        network = self.network
        spectrograms = network.frontend(self.method.levelled(waveforms))
        noise: tuple[Tensor, ...] = ()
        if self.training:
            sizes = network.classifier.dropout_sizes
            noise = tuple(torch.rand(len(waveforms), n, device=waveforms.device) for n in sizes)
            if network.augmentation is not None:
                spectrograms = network.augmentation(spectrograms)
        return network.classifier(spectrograms.mT, noise)

    def calibrate(self, waveforms: Waveforms) -> None:
        """Let the frontend fit what is approximate in it to crops of training clips."""
        self._show(waveforms, self.network.frontend.calibrate)

    def check(self, waveforms: Waveforms) -> None:
        """Let the frontend measure what is approximate in it on windows of test clips."""
        self._show(waveforms, self.network.frontend.check)

    @torch.no_grad()
    def _show(self, waveforms: Waveforms, look: Callable[..., None]) -> None:
        frontend, count = self.network.frontend, len(waveforms.clips)
        if frontend.reads == "mel":
            return
        numbers = torch.linspace(0, count - 1, min(CALIBRATED_ON, count)).round().int().tolist()
        crops = waveforms.crops([(number, 0) for number in numbers]).to(self.network.device)
        rows = self.method.levelled(crops)[..., None]
        lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
        look(*frontend.prepare(rows, lengths))


def crop_rate(frontend: Frontend, job: Recipe) -> int:
    """Return the rate in Hz of the waveforms that a job trains on."""
    return job.mel.sample_rate if frontend.sample_rate is None else frontend.sample_rate


def seconds_of_frame(frontend: Frontend, job: Recipe) -> float:
    """Return the seconds between two frames of a job's spectrograms."""
    hop = getattr(frontend, "hop", job.mel.hop) if frontend.reads == "waveform" else job.mel.hop
    return hop / crop_rate(frontend, job)


def mel_of(job: Recipe) -> PowerMel:
    """Return what makes mel spectrograms of waveforms as a job's features are."""
    mel = job.mel
    return PowerMel(mel.sample_rate, mel.n_bands, mel.n_fft, mel.hop, pad_mode=mel.pad_mode)


def build_waveform_network(
    job: Recipe, class_names: Sequence[str], device: str = "cpu", seed: int = 0
) -> WaveformNetwork:
    """Build a job's untrained network of crops; arguments and errors as for `build_network`."""
    method = build_for(job.method, CropMethod, class_names=tuple(class_names))
    frontend = build(job.frontend, Frontend)
    mel = mel_of(job)
    rate = crop_rate(frontend, job)
    samples = method.samples(rate)
    frames = frontend.frames(samples if frontend.reads == "waveform" else mel.frames(samples))
    of_waveforms, of_spectrograms = build_augmentations(job)
    shaped = replace(job, patch_frames=frames, augmentations={})
    network = build_network(shaped, len(class_names), device, seed)
    network.frontend.mel, network.augmentation = mel, of_spectrograms
    method.adapt(network)
    return WaveformNetwork(network, method, of_waveforms, rate)


@torch.inference_mode()
def score_windows(network: WaveformNetwork, clips: Sequence[np.ndarray]) -> Tensor:
    """Score clips by their windows, where the network is, in float32.

    Args:
        network: The trained network; in evaluation mode afterwards.
        clips: Waveforms (samples, 1) of any lengths, read one after the other.

    Returns:
        Scores (clips, n_classes) on the CPU, of the mean logits of each clip's windows.
    """
    return network.method.scores(_means(network.eval(), clips, network))


@torch.inference_mode()
def embed_windows(network: WaveformNetwork, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Return an embedding of each clip, float32 (clips, size): the mean over its windows."""
    with embedding(network.eval().network.classifier) as embedded:
        return _means(network, clips, lambda batch: embedded(lambda: network(batch))).numpy()


def _means(
    network: WaveformNetwork, clips: Sequence[np.ndarray], function: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the mean (clips, size) over each clip's windows of what a function makes of them."""
    rows, owners = [], []
    for batch, numbers in _windows(network, clips):
        rows.append(function(batch.to(network.network.device)).float().cpu())
        owners += numbers
    of_windows, owner = torch.cat(rows), torch.tensor(owners)
    sums = of_windows.new_zeros(len(clips), of_windows.shape[1]).index_add(0, owner, of_windows)
    return sums / torch.bincount(owner, minlength=len(clips))[:, None]


def _windows(
    network: WaveformNetwork, clips: Sequence[np.ndarray]
) -> Iterator[tuple[Tensor, list[int]]]:
    """Yield the windows of all clips, clip by clip, a batch at a time, and whose they are."""
    method, rate = network.method, network.sample_rate
    size, windows, numbers = method.samples(rate), [], []
    for number, clip in enumerate(clips):
        for start in window_starts(len(clip), size, method.hop(rate)):
            samples = clip[start : start + size, 0]
            windows.append(np.pad(samples, (0, size - len(samples))))
            numbers.append(number)
            if len(windows) == method.batch_size:
                yield torch.from_numpy(np.stack(windows)), numbers
                windows, numbers = [], []
    if windows:
        yield torch.from_numpy(np.stack(windows)), numbers
