"""Few-shot audio classification with fixed and learned frontends."""

import os

# Huge pages for large tensors, before torch makes its first: fresh pages cost half of a VGG step otherwise (Linux).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
