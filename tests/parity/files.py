"""Files of reference values, told apart by what they hold."""

import zipfile
from pathlib import Path

import numpy as np

from fewshot_audio.types import DataError
from parity import leaf, networks
from parity.checks import Check

FORMATS = {
    ("mel", "labels"): networks.supervised,
    ("mel_support", "mel_query", "query_labels"): networks.prototypical,
    ("x", "sample_rate", "out"): leaf.leaf,
}


def compare(path: Path) -> tuple[str, list[Check]]:
    """A reference file to what it is, in words, and a check of everything that it holds.

    DataError where the file cannot be read or is of no known format.
    """
    arrays = read(path)
    for names, compared in FORMATS.items():
        if set(names) <= arrays.keys():
            try:
                title, checks = compared(arrays)
                if not checks:
                    raise DataError(
                        "holds nothing to compare with, neither outputs nor costs nor gradients"
                    )
                return title, checks
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
            except (
                KeyError,
                ValueError,
                IndexError,
                TypeError,
                RuntimeError,
            ) as error:  # whatever a wrong shape or kind leads to
                raise DataError(
                    f"{path}: not as a file with {', '.join(names)} should be: {error}"
                ) from error
    known = " or ".join(", ".join(names) for names in FORMATS)
    raise DataError(f"{path}: no known format; expected {known}; found {', '.join(arrays)}")


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. DataError where it is none."""
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path}: no .npz file of arrays ({error})") from error
