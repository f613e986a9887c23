"""Seeds and digests: what depends on plain values alone."""

import hashlib
import json
from typing import Any


def seed_for(*names: str | int | None) -> int:
    """Return a seed in [0, 2**63) that depends on the names and their order alone."""
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def digest_of(value: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 over a value's JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
