"""Checkpoint folders as runs write them, for tests of what is reported of them."""

import csv
import json

import numpy as np

CLASSES = ["dog", "siren", "bell"]
CLIPS = {"dog/1.wav": "dog", "dog/2.wav": "dog", "siren, long.wav": "siren", "b/é.wav": "bell"}


def keep_checkpoint(
    folder, key, answers, embeddings=None, classes=CLASSES, clips=CLIPS, parts=None
):
    """Write the folder of a run below a results folder.

    `answers` are the prediction and the probabilities of each clip, `parts` start and end.
    """
    kept = folder / f"checkpoints/us8k-fold1-vgg-log_eps-n5-r1-{key}"
    kept.mkdir(parents=True)
    (kept / "checkpoint.json").write_text(json.dumps({"key": key, "class_names": classes}))
    with (kept / "test.csv").open("w", newline="", encoding="utf-8") as file:
        rows, ends = csv.writer(file), ["start", "end"] if parts else []
        rows.writerow(
            ["path", *ends, "label", "prediction", "correct", *[f"p_{name}" for name in classes]]
        )
        for place, ((path, label), (prediction, *shares)) in enumerate(
            zip(clips.items(), answers, strict=True)
        ):
            part = parts[place] if parts else []
            rows.writerow([path, *part, label, prediction, prediction == label, *shares])
    if embeddings is None:
        embeddings = np.random.default_rng(len(key)).normal(size=(len(clips), 4))
    np.save(kept / "embeddings.npy", embeddings)
    return kept
