"""One independent seed per named use."""

import hashlib
import json


def seed_for(*names: str | int) -> int:
    """A seed in [0, 2**63) that depends on the names, in their order, and on nothing else."""
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
