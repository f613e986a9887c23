"""How long features take: ours, torchaudio's and librosa's, file by file and for a whole cache."""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import soundfile

from benchmarks.measure import machine, median, seconds
from fewshot_audio.config import cores
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.features.audio import load
from fewshot_audio.features.base import Transform
from fewshot_audio.features.cache import open_cache
from fewshot_audio.features.torchaudio_transforms import Torchaudio
from fewshot_audio.features.transforms import Librosa2018
from fewshot_audio.runner import environment
from fewshot_audio.types import Mel

GROUPS, CLIPS = 4, 10  # folds, clips per fold and class: 200 files of 0.4 to 4 s, at 16 to 48 kHz
MEL = Mel(44100, 1024, 1024, "reflect")
TRANSFORMS = {"librosa_2018": Librosa2018().mel(MEL), "torchaudio": Torchaudio().mel(MEL)}


def features(rounds: int, threads: int) -> dict[str, Any]:
    """Measure seconds from files to mel spectrograms on one core, and to a cache on one and all."""
    environment.set_up(threads, keep_memory=False)
    with tempfile.TemporaryDirectory() as folder:
        dataset = synthetic(
            "synthetic", Path(folder) / "data", "us8k", GROUPS, CLIPS, validation="none"
        )
        paths = [dataset.root / clip.path for clip in dataset.clips]
        at_rate = [path for path in paths if soundfile.info(path).samplerate == MEL.sample_rate]
        files = {
            name: {"files": len(some), **_seconds_of_files(some, rounds)}
            for name, some in (("all", paths), ("44.1 kHz", at_rate))
        }
        cache_s: dict[str, dict[str, float]] = {}
        for workers in sorted({1, cores()}):
            times = {"librosa": seconds(partial(_librosa_in_processes, paths, workers))}
            for name, transform in TRANSFORMS.items():
                own = Path(folder) / f"{name}{workers}"
                times[name] = seconds(partial(open_cache, dataset, transform, own, workers))
            cache_s[str(workers)] = times
    about = {"rounds": rounds, "machine": machine(threads)}
    return {"bench": "features", **about, "files": files, "cache_s": cache_s}


def _seconds_of_files(paths: Sequence[Path], rounds: int) -> dict[str, float]:
    times = {
        f"{name}_s": median(partial(_all, paths, partial(_own, transform)), rounds)
        for name, transform in TRANSFORMS.items()
    }
    times["librosa_s"] = median(partial(_all, paths, _librosa), rounds)
    return times


def _all(paths: Sequence[Path], compute: Callable[[Path], None]) -> None:
    for path in paths:
        compute(path)


def _own(transform: Transform, path: Path) -> None:
    transform(load(path, transform.sample_rate, transform.resample))


def _librosa(path: Path) -> None:
    import librosa  # a tool of development only

    samples, rate = librosa.load(path, sr=MEL.sample_rate, res_type="kaiser_best")
    settings: dict[str, Any] = {"n_fft": MEL.n_fft, "hop_length": MEL.hop, "pad_mode": MEL.pad_mode}
    librosa.feature.melspectrogram(y=samples, sr=rate, **settings)


def _librosa_in_processes(paths: Sequence[Path], workers: int) -> None:
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(_librosa, paths, chunksize=8))
