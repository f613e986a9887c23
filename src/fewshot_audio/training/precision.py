"""Float32 that is float32, whatever the environment or other code says."""

import os

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

    GPUs would convolve in TF32, which cuDNN takes by default.

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
    round_products(to_tf32=False)


def round_products(to_tf32: bool) -> None:
    """Set whether a GPU rounds the factors of float32 products to TF32's 11 bits."""
    torch.set_float32_matmul_precision("high" if to_tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = to_tf32
