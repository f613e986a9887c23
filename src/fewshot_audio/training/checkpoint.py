"""Checkpoints: one folder for each trained network, written whole, read without running its code.

`model.safetensors` holds the tensors, `checkpoint.json` how to build the network and what it is,
`test.csv` what it says of each test clip, `embeddings.npy` an embedding of each.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.torch

from fewshot_audio.datasets.base import Clip
from fewshot_audio.files import atomic_folder
from fewshot_audio.training.clip_model import ClipModel
from fewshot_audio.training.metrics import ClipScores
from fewshot_audio.training.recipe import as_settings
from fewshot_audio.types import StoreError

SCHEMA = 1  # version of the folder
MODEL, ABOUT, TEST, EMBEDDINGS = (
    "model.safetensors",
    "checkpoint.json",
    "test.csv",
    "embeddings.npy",
)
PROBABILITY = "p_"  # before a class's name in the header of test.csv


class File(msgspec.Struct):
    """What another file of the folder must be."""

    size: int
    sha256: str


class About(msgspec.Struct):
    """What checkpoint.json holds."""

    schema: int
    kind: str  # of the model
    key: str  # of the run
    run: dict[str, Any]  # dataset, fold, n_per_class, repeat
    class_names: list[str]
    sample_rate: int  # Hz
    multi_label: bool
    settings: dict[str, Any]  # a recipe
    metrics: dict[str, Any]  # of the run's record
    provenance: dict[str, Any]
    files: dict[str, File]


@dataclass(frozen=True)
class Tested:
    """Test clips of a run, and what its network says of them.

    Args:
        clips: The clips.
        scores: Scores and targets.
        embeddings: Computes them, float32 (clips, size).
    """

    clips: Sequence[Clip]
    scores: ClipScores
    embeddings: Callable[[], np.ndarray]


def write(
    folder: Path,
    model: ClipModel,
    tested: Tested,
    embedded: np.ndarray,
    metrics: Mapping[str, Any],
    run: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write a checkpoint; an older one stays until the new one is whole.

    Raises:
        ConfigError: A setting cannot be kept.
        OSError: The disk refuses.
    """
    tensors = {name: each.cpu().contiguous() for name, each in model.state_dict().items()}
    contents = {
        MODEL: safetensors.torch.save(tensors),
        TEST: _table(tested, model).encode(),
        EMBEDDINGS: _npy(embedded),
    }
    about = About(
        schema=SCHEMA,
        kind=model.kind,
        key=run["key"],
        run={name: value for name, value in run.items() if name != "key"},
        class_names=list(model.class_names),
        sample_rate=model.sample_rate,
        multi_label=model.multi_label,
        settings=as_settings(model.recipe),
        metrics=dict(metrics),
        provenance=dict(provenance),
        files={name: File(len(data), sha256(data).hexdigest()) for name, data in contents.items()},
    )
    text = json.dumps(about, default=msgspec.structs.asdict, indent=1, ensure_ascii=False)
    with atomic_folder(folder) as draft:
        for name, data in contents.items():
            (draft / name).write_bytes(data)
        (draft / ABOUT).write_text(text, encoding="utf-8")


def _npy(values: np.ndarray) -> bytes:
    """Return an array as a file of NumPy's."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _table(tested: Tested, model: ClipModel) -> str:
    """Return test.csv: path, labels, prediction, correct, and a probability for each class.

    Columns start and end, in seconds, follow the path where clips are parts of files.
    """
    parts = any(clip.id != clip.path for clip in tested.clips)
    scores, names = tested.scores, model.class_names
    of_clips = model.probabilities(scores.scores)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    classes = [PROBABILITY + name for name in names]
    columns = ["path", "start", "end"] if parts else ["path"]
    rows.writerow([*columns, "label", "prediction", "correct", *classes])
    for number, clip in enumerate(tested.clips):
        target, probabilities = scores.targets[number], of_clips[number]
        if scores.multi_label:
            true, said = target.nonzero()[:, 0].tolist(), (probabilities > 0.5).nonzero()[:, 0]
            found = said.tolist()
        else:
            true, answer = [int(target)], int(scores.answers[number])
            found = [answer] if answer >= 0 else []
        words = (";".join(names[each] for each in labels) for labels in (true, found))
        correct = str(true == found).lower()
        place = [getattr(clip, name) for name in columns]
        rows.writerow([*place, *words, correct, *map(decimal, probabilities.tolist())])
    return text.getvalue()


def decimal(number: float) -> str:
    """Return the fewest digits that give a float32 again."""
    return str(np.float32(number))


def describe(folder: Path) -> About:
    """Return what a checkpoint says of itself.

    Raises:
        StoreError: It is missing, damaged or of another version.
    """
    if not (folder / ABOUT).is_file():
        raise StoreError(
            f"{folder}: no checkpoint, expected {ABOUT} in it; give a folder of "
            "results/checkpoints, which runs with checkpoint=true write"
        )
    try:
        about: Any = json.loads((folder / ABOUT).read_bytes())
        schema = about.get("schema") if isinstance(about, dict) else None
        if isinstance(schema, int) and schema != SCHEMA:
            step = "update this program" if schema > SCHEMA else "train it again"
            raise StoreError(
                f"{folder}: a checkpoint of schema {schema}, this program reads {SCHEMA}; {step}"
            )
        return msgspec.convert(about, About)
    except (ValueError, msgspec.ValidationError) as error:
        raise StoreError(
            f"{folder / ABOUT} is damaged ({error}); copy the checkpoint again, or train it again"
        ) from error


def is_whole(folder: Path) -> bool:
    """Return whether a folder looks like a checkpoint: no file is missing or has another size."""
    try:
        files = describe(folder).files
    except StoreError:
        return False
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == file.size
        for name, file in files.items()
    )
