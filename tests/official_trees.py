"""Official datasets in small: their layouts with short noises, and what is in them."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """What a tree holds.

    Args:
        splits: Path to labels of each clip by its split, or by the number of its fold.
        counts: Values that the reader's module holds of the whole dataset, for this tree.
        listed: Whether the dataset has a list, so that a missing file is known.
    """

    splits: Mapping[str, Mapping[str, Labels]]
    counts: Mapping[str, Any]
    listed: bool = True


def write_sounds(root: Path, splits: Mapping[str, Mapping[str, Labels]], rate: int) -> None:
    random = np.random.default_rng(0)
    for path in (path for clips in splits.values() for path in clips):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / path, 0.1 * random.standard_normal(rate // 10), rate)


def write_table(path: Path, rows: list, delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def speech_commands(root: Path) -> Tree:
    splits = {
        "train": {f"{word}/{i}a_nohash_{i}.wav": (word,) for word in ("no", "yes") for i in (0, 1)},
        "valid": {"no/2b_nohash_0.wav": ("no",)},
        "test": {f"{word}/3c_nohash_0.wav": (word,) for word in ("no", "yes")},
    }
    write_sounds(root, splits, 16000)
    write_sounds(root, {"": {"_background_noise_/pink_noise.wav": ()}}, 16000)
    for split, name in (("valid", "validation"), ("test", "testing")):
        (root / f"{name}_list.txt").write_text("".join(f"{path}\n" for path in splits[split]))
    (root / "README.md").write_text("no clip")
    words = [["no", "4"], ["yes", "3"]]
    counts = {"train": 4, "valid": 1, "test": 2}
    return Tree(splits, {"OFFICIAL_SPLITS": counts, "shipped_table": lambda _: words})


def esc50(root: Path) -> Tree:
    splits, rows = {}, [["filename", "fold", "target", "category", "esc10", "src_file", "take"]]
    names = {0: "dog", 1: "rooster", 14: "chirping_birds"}
    for fold in range(1, 6):
        splits[str(fold)] = {f"audio/{fold}-100{i}-A-{i}.wav": (name,) for i, name in names.items()}
        rows += [
            [f"{fold}-100{i}-A-{i}.wav", fold, i, name, str(i < 2), f"100{i}", "A"]
            for i, name in names.items()
        ]
    write_sounds(root, splits, 44100)
    write_table(root / "meta/esc50.csv", rows)
    return Tree(splits, {"N_CLASSES": 3, "PER_FOLD": 1})


def esc10(root: Path) -> Tree:
    splits = {
        fold: {path: labels for path, labels in clips.items() if labels != ("chirping_birds",)}
        for fold, clips in esc50(root).splits.items()
    }
    return Tree(splits, {"N_CLASSES": 3, "PER_FOLD": 1})


def voxceleb1(root: Path) -> Tree:
    speakers = ("id10001", "id10002")
    splits = {
        "train": {
            f"wav/{speaker}/aB-_{i}/00001.wav": (speaker,) for speaker in speakers for i in (0, 1)
        },
        "valid": {"wav/id10001/cD/00001.wav": ("id10001",)},
        "test": {f"wav/{speaker}/eF/00002.wav": (speaker,) for speaker in speakers},
    }
    write_sounds(root, splits, 16000)
    lines = [
        f"{number} {path.removeprefix('wav/')}\n"
        for number, clips in enumerate(splits.values(), 1)
        for path in clips
    ]
    (root / "iden_split.txt").write_text("".join(lines))
    counts = {"train": 4, "valid": 1, "test": 2}
    return Tree(splits, {"OFFICIAL_SPLITS": counts, "OFFICIAL_SPEAKERS": 2})


def nsynth(root: Path, field: str = "family") -> Tree:
    splits: dict[str, dict[str, Labels]] = {}
    for split in ("train", "valid", "test"):
        splits[split], notes = {}, {}
        for family in ("bass", "vocal"):
            for pitch in (9, 60, 100):
                instrument = f"{family}_{split}_000"
                note = {
                    "instrument_family_str": family,
                    "instrument_str": instrument,
                    "pitch": pitch,
                }
                notes[f"{instrument}-{pitch:03d}-050"] = note
                label = family if field == "family" else str(pitch)
                splits[split][f"nsynth-{split}/audio/{instrument}-{pitch:03d}-050.wav"] = (label,)
        (root / f"nsynth-{split}").mkdir(parents=True)
        (root / f"nsynth-{split}/examples.json").write_text(json.dumps(notes))
    write_sounds(root, splits, 16000)
    counts = dict.fromkeys(("train", "valid", "test"), 6)
    return Tree(splits, {"OFFICIAL_SPLITS": counts, "FAMILIES": ["bass", "vocal"]})


def nsynth_pitch(root: Path) -> Tree:
    return nsynth(root, "pitch")


def crema_d(root: Path) -> Tree:
    emotions = {"ANG_XX": "anger", "SAD_X": "sad"}
    folds = {
        "1001": "1",
        "1002": "2",
        "1003": "3",
        "1004": "4",
        "1005": "5",
        "1006": "1",
        "1076": "1",
    }
    splits: dict[str, dict[str, Labels]] = {fold: {} for fold in "12345"}
    for actor, fold in folds.items():
        for text, emotion in emotions.items():
            splits[fold][f"AudioWAV/{actor}_IEO_{text}.wav"] = (emotion,)
    write_sounds(root, splits, 16000)
    for name in ("1076_MTI_SAD_XX.wav", "notes.txt"):
        (root / "AudioWAV" / name).touch()
    return Tree(splits, {"N_CLIPS": 15, "N_ACTORS": 7}, listed=False)


def bird_detection(root: Path) -> Tree:
    files = {
        "1": ("ff1010bird_metadata_2018.csv", "ff1010bird"),
        "2": ("warblrb10k_public_metadata_2018.csv", "warblrb10k"),
        "3": ("BirdVoxDCASE20k_csvpublic.csv", "BirdVox-DCASE-20k"),
    }
    splits = {}
    for fold, (table, name) in files.items():
        rows = [["itemid", "datasetid", "hasbird"]]
        rows += [[f"{fold}{i}", name, i % 2] for i in range(4)]
        write_table(root / table, rows)
        splits[fold] = {f"wav/{i}.wav": (("no_bird", "bird")[label],) for i, _, label in rows[1:]}
    write_sounds(root, splits, 44100)
    return Tree(splits, {"SETS": {table: 4 for table, _ in files.values()}})


def tau_urban(root: Path) -> Tree:
    scenes = ("bus", "metro_station")
    splits = {
        "train": {
            f"audio/{scene}-lyon-{i}-{i}-a.wav": (scene,) for scene in scenes for i in (0, 1)
        },
        "test": {f"audio/{scene}-milan-7-3-a.wav": (scene,) for scene in scenes},
    }
    meta = [["filename", "scene_label", "identifier", "source_label"]]
    for split, clips in splits.items():
        file = {"train": "fold1_train.csv", "test": "fold1_evaluate.csv"}[split]
        rows = [[path, *labels] for path, labels in clips.items()]
        write_table(root / "evaluation_setup" / file, [["filename", "scene_label"], *rows], "\t")
        meta += [
            [path, scene, path.split("-", 1)[1].rsplit("-", 2)[0], "a"] for path, scene in rows
        ]
    meta.append(["audio/bus-milan-9-9-a.wav", "bus", "milan-9", "a"])  # not on a list
    write_table(root / "meta.csv", meta, "\t")
    write_sounds(root, splits, 48000)
    return Tree(splits, {"OFFICIAL_SPLITS": {"A set": {"train": 4, "test": 2}}, "N_SCENES": 2})


def fsd50k(root: Path) -> Tree:
    splits = {
        "train": {
            "FSD50K.dev_audio/1.wav": ("Bark", "Dog"),
            "FSD50K.dev_audio/2.wav": ("Rain",),
            "FSD50K.dev_audio/3.wav": ("Bark", "Dog", "Rain"),
        },
        "valid": {"FSD50K.dev_audio/4.wav": ("Dog",)},
        "test": {"FSD50K.eval_audio/5.wav": ("Bark", "Dog"), "FSD50K.eval_audio/6.wav": ("Rain",)},
    }
    dev, evaluation = [["fname", "labels", "mids", "split"]], [["fname", "labels", "mids"]]
    for split, clips in splits.items():
        for path, labels in clips.items():
            row = [Path(path).stem, ",".join(labels), ",".join(f"/m/{each}" for each in labels)]
            (evaluation if split == "test" else dev).append(row)
            if split != "test":
                row.append({"train": "train", "valid": "val"}[split])
    write_table(root / "FSD50K.ground_truth/dev.csv", dev)
    write_table(root / "FSD50K.ground_truth/eval.csv", evaluation)
    vocabulary = [[i, name, f"/m/{name}"] for i, name in enumerate(("Bark", "Dog", "Rain"))]
    write_table(root / "FSD50K.ground_truth/vocabulary.csv", vocabulary)
    write_sounds(root, splits, 44100)
    counts = {"train": 3, "valid": 1, "test": 2}
    return Tree(splits, {"OFFICIAL_SPLITS": counts, "N_CLASSES": 3})


def audioset(root: Path) -> Tree:
    """Five of seven segments have a file, each named in another way."""
    names = {"/m/09x0r": "Speech", "/m/0bt9lr": "Dog", "/m/068hy": "Domestic animals, pets"}
    speech, dog = ("Speech",), ("Dog", "Domestic animals, pets")
    splits = {
        "train": {
            "balanced_train/--PJHxphWEs.wav": speech,
            "balanced_train/Y-_abcdefghi.flac": dog,
            "balanced_train/Yanqwertyu__30.wav": speech,
        },
        "test": {"eval/YTIDYTIDYT1_30.000_40.000.wav": speech, "-0RWZT_miFs_10000_20000.flac": dog},
    }
    lists = {
        "balanced_train": {
            "--PJHxphWEs": speech,
            "-_abcdefghi": dog,
            "Yanqwertyu_": speech,
            "gone1234567": dog,
        },
        "eval": {"YTIDYTIDYT1": speech, "-0RWZT_miFs": dog, "gone7654321": dog},
    }
    write_sounds(root, splits, 16000)
    identifier = {name: each for each, name in names.items()}
    for part, segments in lists.items():
        lines = [
            "# Segments csv created Sun Mar  5 10:54:31 2017",
            "# YTID, start_seconds, end_seconds, positive_labels",
        ]
        for segment, labels in segments.items():
            quoted = ",".join(identifier[label] for label in labels)
            lines.append(f'{segment}, 30.000, 40.000, "{quoted}"')
        (root / f"{part}_segments.csv").write_text("\n".join(lines) + "\n")
    rows = [[i, each, name] for i, (each, name) in enumerate(names.items())]
    write_table(root / "class_labels_indices.csv", [["index", "mid", "display_name"], *rows])
    counts = {"balanced_train": 4, "unbalanced_train": 0, "eval": 3}
    return Tree(splits, {"OFFICIAL_SEGMENTS": counts, "N_CLASSES": 3}, listed=False)


TREES: dict[str, Callable[[Path], Tree]] = {
    each.__name__: each
    for each in (
        *(speech_commands, esc50, esc10, voxceleb1, nsynth, nsynth_pitch, crema_d),
        *(bird_detection, tau_urban, fsd50k, audioset),
    )
}
