"""The contract of a model, and what lets an ordinary module keep it."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from fewshot_audio.types import ConfigError

KERNEL_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Classifier(nn.Module, ABC):
    """A model that offers more than `forward`.

    Any `nn.Module` from patches (batch, frames, bands) to logits (batch, n_classes) or to
    embeddings (batch, size) is a model. A subclass of this one may also define dropout whose
    random numbers are arguments, a fast `forward_dense`, new weights for every run, and what
    weight decay acts on.

    Attributes:
        n_frames: Frames of a patch.
        dropout_sizes: Features that each dropout layer sees per patch, first layer first.
        embeds: Whether the outputs are embeddings instead of one logit per class.
    """

    n_frames: int = 128
    dropout_sizes: tuple[int, ...] = ()
    embeds: bool = False

    @abstractmethod
    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the outputs of a batch of patches.

        Args:
            patches: Patches (batch, n_frames, bands).
            noise: Uniform random numbers (batch, size) of each dropout layer; none: no dropout.

        Returns:
            Logits (batch, n_classes) or embeddings (batch, size).
        """

    def forward_dense(self, spectrograms: Tensor, hop: int) -> Tensor:
        """Return the outputs of all patches that start every `hop` frames.

        Equal to `forward` of each patch in evaluation mode, up to the rounding of float32.

        Args:
            spectrograms: Spectrograms (clips, at least n_frames, bands).
            hop: Frames between the starts of two patches.

        Returns:
            Outputs (clips, patches, size).
        """
        return patchwise(self, spectrograms, self.n_frames, hop)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw new weights; unless this is defined, those of the constructor are kept."""

    def kernels(self) -> list[Tensor]:
        """Return the weights of convolutions and dense layers: what weight decay acts on."""
        return [layer.weight for layer in self.modules() if isinstance(layer, KERNEL_LAYERS)]


class PlainClassifier(Classifier):
    """An ordinary module as a model: it draws its own random numbers and keeps its own weights."""

    def __init__(self, module: nn.Module, n_frames: int, embeds: bool):
        super().__init__()
        self.module, self.n_frames, self.embeds = module, n_frames, embeds

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        return self.module(patches)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw new weights if the module's class defines how."""
        if callable(initialise := getattr(self.module, "initialise", None)):
            initialise(generator)


def as_classifier(module: nn.Module, n_classes: int, n_frames: int, n_bands: int) -> Classifier:
    """Return a module as a model of patches of that size.

    An ordinary module whose outputs are not one number per class is taken to give embeddings.

    Raises:
        ConfigError: The module does not take such patches, or its outputs are not (batch, size).
    """
    if isinstance(module, Classifier):
        module.n_frames = n_frames
        return module
    name, patches = type(module).__name__, torch.zeros(2, n_frames, n_bands)
    size = f"patches of {n_frames} frames and {n_bands} bands"
    training = module.training
    try:
        with torch.no_grad():
            outputs = module.eval()(patches)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"model: {name} does not take {size} ({reason}); change patch_frames or n_bands, "
            "or choose another model"
        ) from error
    module.train(training)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2 or len(outputs) != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ConfigError(
            f"model: {name} gives {shape} for 2 {size}; expected logits (2, {n_classes}) "
            "or embeddings (2, size)"
        )
    return PlainClassifier(module, n_frames, embeds=outputs.shape[1] != n_classes)


def glorot_uniform(module: nn.Module, generator: torch.Generator) -> None:
    """Draw Glorot-uniform kernels and set biases to zero, as TensorFlow's layers start."""
    for layer in module.modules():
        if isinstance(layer, KERNEL_LAYERS):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def check_patches(name: str, n_frames: int, n_bands: int, least: tuple[int, int]) -> None:
    """Raise ConfigError where patches have fewer frames or bands than a model needs."""
    if n_frames < least[0] or n_bands < least[1]:
        raise ConfigError(
            f"model: {name} needs patches of at least {least[0]} frames and {least[1]} bands, "
            f"found {n_frames} frames and {n_bands} bands; change n_bands, patch_frames or "
            "method.crop, or choose another model"
        )


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return batch norm as TensorFlow has it: epsilon 1e-3, momentum 0.99 of the old value."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def dropout(features: Tensor, noise: Tensor | None, rate: float) -> Tensor:
    """Return features with those zeroed whose random number is below the rate, the rest scaled up.

    The noise, of the same shape, is an argument so that a run's dropout depends on its own
    generator alone, also in a stack of runs; None: no dropout.
    """
    return features if noise is None else features * (noise >= rate) / (1 - rate)


def patch_starts(frames: int, n_frames: int, hop: int) -> range:
    """Return the first frames of the patches of a spectrogram with that many frames."""
    return range(0, max(frames, n_frames) - n_frames + 1, hop)


def patchwise(
    model: nn.Module, spectrograms: Tensor, n_frames: int, hop: int, batch_size: int = 256
) -> Tensor:
    """Return the outputs (clips, patches, size) of a model by one forward pass per patch.

    Takes spectrograms (clips, at least n_frames, bands); `batch_size` patches pass together.
    """
    patches = spectrograms.unfold(1, n_frames, hop).transpose(2, 3)  # a view
    outputs = [model(chunk) for chunk in patches.flatten(0, 1).split(batch_size)]
    return torch.cat(outputs).unflatten(0, patches.shape[:2])
