"""Few-shot audio classification with fixed and learned frontends.

The layers of `fewshot_audio.frontends` can be imported from here too: `from fewshot_audio import
Leaf`. Nothing is imported before it is used.
"""

import importlib
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fewshot_audio.frontends import (
        PCEN,
        EfficientLeaf,
        Leaf,
        LogLearn,
        LogMel,
        MelPCEN,
        SincNet,
        SincNetPlus,
        TDFilterbank,
        Wavegram,
    )
    from fewshot_audio.report import load as results
    from fewshot_audio.training.loading import load
    from fewshot_audio.training.onnx import export_onnx

__all__ = [
    "PCEN",
    "EfficientLeaf",
    "Leaf",
    "LogLearn",
    "LogMel",
    "MelPCEN",
    "SincNet",
    "SincNetPlus",
    "TDFilterbank",
    "Wavegram",
    "export_onnx",
    "load",
    "results",
]
MODULES = {"load": "training.loading", "export_onnx": "training.onnx"}

# Huge pages for large tensors, before torch makes its first: fresh pages cost half of a VGG step
# otherwise (Linux).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def __getattr__(name: str) -> Any:
    if name == "results":
        return importlib.import_module("fewshot_audio.report").load
    if name in MODULES:
        return getattr(importlib.import_module(f"fewshot_audio.{MODULES[name]}"), name)
    if name == "__version__":
        return version("fewshot-audio")
    if name in __all__:
        return getattr(importlib.import_module("fewshot_audio.frontends"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
