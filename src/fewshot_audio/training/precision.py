"""Float32 that is float32, whatever the environment or other code says."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fewshot_audio.types import ConfigError

# libraries below torch read these, some before Python can take them away; the values do nothing
ROUNDING = {
    "NVIDIA_TF32_OVERRIDE": "0",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "DNNL_DEFAULT_FPMATH_MODE": "STRICT",
}


def full_precision() -> None:
    """Set torch's switches so that float32 is multiplied and convolved in float32.

    GPUs would convolve in TF32, which cuDNN takes by default: it rounds factors to 11 bits.

    Raises:
        ConfigError: The environment asks for less, or code has changed torch's default type.
    """
    for name, harmless in ROUNDING.items():
        value = os.environ.get(name, harmless)
        if value.upper() != harmless:
            raise ConfigError(
                f"{name}={value}: it rounds products of float32 to fewer bits, and results would "
                f"be stored as if it did not; unset {name}"
            )
    if torch.get_default_dtype() != torch.float32:
        raise ConfigError(
            f"torch's default type: expected float32, found {torch.get_default_dtype()}; take "
            "torch.set_default_dtype out of your code"
        )
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def tf32(wanted: bool) -> Iterator[None]:
    """Let a GPU multiply and convolve in TF32 meanwhile, if wanted."""
    if wanted:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        full_precision()
