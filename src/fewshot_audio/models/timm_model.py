"""Image models of timm, on spectrograms as images of one channel."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from fewshot_audio.types import ConfigError


class Timm(nn.Module):
    """Any image model of timm; a patch is an image of one channel.

    Its height is time (frames) and its width is frequency (bands).

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch.
        n_frames: Frames of a patch.
        architecture: Name in timm, as "efficientnet_b0" or "vit_tiny_patch16_224".
        pretrained: Whether timm loads the weights of that name, from its cache or the network. The
            filters of the first layer are summed over colours then, and the last layer is new.
        options: More arguments of `timm.create_model`, as {"drop_rate": 0.2}.

    Raises:
        ConfigError: timm is not installed, has no such architecture or weights, or refuses an
            option.
    """

    def __init__(
        self,
        n_classes: int,
        n_bands: int,
        n_frames: int,
        architecture: str,
        pretrained: bool = False,
        options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        timm = _timm()
        if not timm.is_model(architecture):
            close = get_close_matches(architecture, timm.list_models())
            step = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() has them"
            raise ConfigError(f"model.architecture={architecture}: timm has none such; {step}")
        if "checkpoint_path" in (options or {}):  # a file that is unpickled
            raise ConfigError(
                "model.options.checkpoint_path: expected options of the network alone; "
                "model.pretrained=true loads weights"
            )
        settings = {"in_chans": 1, "num_classes": n_classes, **(options or {})}
        known = timm.get_pretrained_cfg(architecture)
        if known is not None and known.fixed_input_size:
            settings.setdefault("img_size", (n_frames, n_bands))
        try:
            self.network = timm.create_model(architecture, pretrained=pretrained, **settings)
        except (TypeError, ValueError, AssertionError, RuntimeError, OSError) as error:
            weights = "; its weights need the network once, or model.pretrained=false"
            raise ConfigError(
                f"model: timm cannot make {architecture} with {settings}: {error}"
                f"{weights if pretrained else ''}"
            ) from error

    def forward(self, patches: Tensor) -> Tensor:
        """Return the logits (batch, n_classes) of patches (batch, frames, bands)."""
        return self.network(patches[:, None])


def _timm() -> ModuleType:
    """Return timm, which takes seconds to import. ConfigError where it is not installed."""
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            f"model: timm is not installed ({error}); pip install 'fewshot-audio[models]'"
        ) from error
    return timm
