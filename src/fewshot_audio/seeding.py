"""One independent seed per named use."""

import hashlib
import json


def seed_for(*names: str | int | None) -> int:
    """Return a seed in [0, 2**63) that depends on the names and their order alone."""
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
