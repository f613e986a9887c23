"""How long a bank takes to build, beside librosa."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.measure import machine, median, seconds
from fewshot_audio import processes as process
from fewshot_audio.config import cores
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.features.audio import load
from fewshot_audio.features.cache import open_cache
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.types import Dataset

GROUPS, CLIPS = 4, 10  # folds, clips per fold and class: 200 files of 0.4 to 4 s, at 16 to 48 kHz
TRANSFORM = MelTransform(44100, 1024, 1024, "reflect")


def bank(rounds: int, threads: int) -> dict[str, Any]:
    """Seconds to turn files into maps on one core, ours and librosa's; and to build their bank on one core and on all."""
    process.set_up(threads, keep_memory=False)
    with tempfile.TemporaryDirectory() as folder:
        dataset = synthetic("synthetic", Path(folder) / "data", "us8k", GROUPS, CLIPS, "none", ())
        at_rate = [
            clip.path
            for clip in dataset.clips
            if _rate(dataset.root / clip.path) == TRANSFORM.sample_rate
        ]
        groups = {"all": [clip.path for clip in dataset.clips], "44.1 kHz": at_rate}
        found = {
            name: _beside_librosa(dataset.root, paths, rounds) for name, paths in groups.items()
        }
        workers = sorted({1, cores()})
        built = {
            str(count): _built(dataset, Path(folder) / f"cache{count}", count) for count in workers
        }
        theirs = {
            str(count): _librosa_apart(dataset.root, groups["all"], count) for count in workers
        }
    times = {"bank_s": built, "librosa_kaiser_best_s": theirs}
    return {"bench": "bank", "rounds": rounds, "machine": machine(threads), "files": found, **times}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for name, found in result["files"].items():
        times = f"{found['ours_s']:.2f} s, librosa {found['librosa_s']:.2f} s (kaiser_best {found['kaiser_best_s']:.2f} s)"
        yield f"{found['files']} files ({name}): {times}, {found['ratio']} and {found['kaiser_best_ratio']} times as long"
    for workers, built in result["bank_s"].items():
        theirs = result["librosa_kaiser_best_s"][workers]
        yield f"bank by {workers} processes, their start included: {built:.2f} s, librosa (kaiser_best) {theirs:.2f} s"


def _rate(path: Path) -> int:
    import soundfile

    return soundfile.info(path).samplerate


def _beside_librosa(root: Path, paths: list[str], rounds: int) -> dict[str, float]:
    def ours() -> None:
        for path in paths:
            TRANSFORM(load(root / path, TRANSFORM.sample_rate))

    def theirs(resampling: str) -> None:
        for path in paths:
            _librosa(root / path, resampling)

    times = [
        median(ours, rounds),
        median(lambda: theirs("soxr_hq"), rounds),
        median(lambda: theirs("kaiser_best"), rounds),
    ]
    ratios = {
        "ratio": round(times[1] / times[0], 2),
        "kaiser_best_ratio": round(times[2] / times[0], 2),
    }
    return {
        "files": len(paths),
        "ours_s": times[0],
        "librosa_s": times[1],
        "kaiser_best_s": times[2],
        **ratios,
    }


def _librosa(path: Path, resampling: str) -> None:
    import librosa  # a tool of development only

    samples, rate = librosa.load(path, sr=TRANSFORM.sample_rate, res_type=resampling)
    settings = {
        "n_fft": TRANSFORM.n_fft,
        "hop_length": TRANSFORM.hop,
        "pad_mode": TRANSFORM.pad_mode,
    }
    librosa.feature.melspectrogram(y=samples, sr=rate, **settings)


def _librosa_apart(root: Path, paths: list[str], workers: int) -> float:
    """Seconds of librosa with the study's resampling, in processes whose start counts too, as for a bank."""

    def all_of_them() -> None:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            list(
                pool.map(
                    _librosa,
                    [root / path for path in paths],
                    ["kaiser_best"] * len(paths),
                    chunksize=8,
                )
            )

    return seconds(all_of_them)


def _built(dataset: Dataset, cache: Path, workers: int) -> float:
    return seconds(lambda: open_cache(dataset, TRANSFORM, cache, workers, silent=True))
