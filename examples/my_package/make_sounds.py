"""Write a small dataset of synthetic sounds: python make_sounds.py FOLDER."""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000  # Hz
SECONDS = 1.5
FOLDS, RECORDINGS, SLICES = 2, 3, 4  # per class and fold, per recording


def sound(label: str, pitch: float, random: np.random.Generator) -> np.ndarray:
    """Return a rising tone, a falling tone or noise, at a random level over a little noise."""
    t = np.linspace(0, SECONDS, int(RATE * SECONDS), endpoint=False)
    octaves = {"up": t, "down": SECONDS - t, "noise": 0 * t}[label]
    tone = np.sin(2 * np.pi * np.cumsum(pitch * 2**octaves) / RATE)
    loud = random.standard_normal(len(t)) if label == "noise" else tone
    return random.uniform(0.05, 0.5) * loud / 3 + 0.01 * random.standard_normal(len(t))


def main(folder: Path) -> None:
    """Write the clips and the table metadata.csv."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for label in ("down", "noise", "up"):
        for fold in range(1, FOLDS + 1):
            for recording in range(1, RECORDINGS + 1):
                pitch = random.uniform(300, 1500)  # slices of one recording are alike
                for piece in range(1, SLICES + 1):
                    group = f"{label}-{fold}-{recording}"
                    path = f"{group}-{piece}.wav"
                    soundfile.write(folder / path, sound(label, pitch, random), RATE)
                    rows.append([path, label, fold, group])
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "fold", "group"], *rows])
    print(f"{folder}: {len(rows)} clips and metadata.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
