"""Files: written whole, hashed, found."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fewshot_audio.types import DataError


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path to write to beside the final one; renamed onto it when the block succeeds, removed when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """A file to the hexadecimal SHA-256 of its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_root(root: Path, name: str, marker: str) -> Path:
    """A folder, or its parent, to the folder that holds `marker`. DataError where neither does."""
    if not root.is_dir():
        raise DataError(
            f"dataset.root={root}: no such folder; give the folder {name} or the one that holds it"
        )
    for folder in (root, root / name):
        if (folder / marker).exists():
            return folder
    found = ", ".join(sorted(entry.name for entry in root.iterdir())[:5]) or "nothing"
    raise DataError(
        f"dataset.root={root}: expected {marker} in it or in its folder {name}, found {found}"
    )
