"""Files of reference values, told apart by what they hold."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fewshot_audio.types import DataError
from parity import leaf, networks
from parity.checks import Arrays, Check

Comparison = Callable[[Arrays], tuple[str, list[Check]]]
WRONG = (KeyError, ValueError, IndexError, TypeError, RuntimeError)  # what wrong shapes lead to
FORMATS = {
    ("mel", "labels"): networks.supervised,
    ("mel_support", "mel_query", "query_labels"): networks.prototypical,
    ("x", "sample_rate", "out"): leaf.leaf,
}


def compare(path: Path) -> tuple[str, list[Check]]:
    """Return what a reference file is, in words, and a check of everything that it holds.

    Raises:
        DataError: The file cannot be read or is of no known format.
    """
    arrays = read(path)
    for names, compared in FORMATS.items():
        if set(names) <= arrays.keys():
            return _compared(path, arrays, names, compared)
    known = " or ".join(", ".join(names) for names in FORMATS)
    raise DataError(f"{path}: no known format; expected {known}; found {', '.join(arrays)}")


def _compared(
    path: Path, arrays: Arrays, names: tuple[str, ...], compared: Comparison
) -> tuple[str, list[Check]]:
    try:
        title, checks = compared(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except WRONG as error:
        raise DataError(
            f"{path}: not as a file with {', '.join(names)} should be: {error}"
        ) from error
    if not checks:
        raise DataError(
            f"{path}: holds nothing to compare with, neither outputs nor costs nor gradients"
        )
    return title, checks


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Raises:
        DataError: It is none.
    """
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path}: no .npz file of arrays ({error})") from error
