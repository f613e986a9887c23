"""Few-shot audio classification with fixed and learned frontends."""

import importlib
import os
from typing import Any

# Huge pages for large tensors, before torch makes its first: fresh pages cost half of a VGG step
# otherwise (Linux).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

LAZY = {"results": ("fewshot_audio.report", "load")}  # public names, imported when they are used


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    module, attribute = LAZY[name]
    return getattr(importlib.import_module(module), attribute)
