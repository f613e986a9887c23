"""From a file to mono samples at the study's rate."""

import struct
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from scipy.special import i0

from fewshot_audio.types import DataError

ZERO_CROSSINGS, ROLL_OFF, BETA = 64, 0.9475937167399596, 14.769656459379492  # kaiser_best
LARGEST_KERNEL = 1 << 22  # taps in torchaudio's table; rates with a small common divisor would need more


def load(path: Path, sample_rate: int) -> np.ndarray:
    """An audio file to float32 samples (samples,): mean of its channels, resampled to the rate, level untouched.

    DataError, with the reason, for a file that is empty, truncated, corrupt, without samples or holds NaN or infinity.
    """
    try:
        _check_complete(path)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except FileNotFoundError as error:
        raise DataError("missing") from error
    except (OSError, MemoryError, soundfile.LibsndfileError, struct.error) as error:  # a damaged length may ask for all memory
        raise DataError(f"cannot be read ({error})") from error
    if len(samples) == 0:
        raise DataError("has no samples")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    return resample(samples.mean(axis=1), rate, sample_rate)


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Samples (samples,) at one rate to another in Hz, with the windowed sinc of librosa 0.6's kaiser_best.

    Source of the filter's numbers: resampy (McFee).
    """
    if rate == target:
        return samples
    divisor = np.gcd(rate, target)
    if (rate // divisor) * (target // divisor) > LARGEST_KERNEL:
        return resample_directly(samples, rate, target)
    with torch.inference_mode():
        return _resampler(rate, target)(torch.from_numpy(samples)).numpy()


@cache
def _resampler(rate: int, target: int) -> torchaudio.transforms.Resample:
    settings = {"lowpass_filter_width": ZERO_CROSSINGS, "rolloff": ROLL_OFF, "beta": BETA}
    table = torchaudio.transforms.Resample(rate, target, "sinc_interp_kaiser", **settings, dtype=torch.float64)
    return table.float()  # taps computed in float64: in float32 from the start they would be off by 1e-5


def resample_directly(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """The same, filter tap by filter tap: for rates like 11,024 Hz, whose table of taps would take gigabytes."""
    cutoff = ROLL_OFF * min(1, target / rate)  # of the input's half rate
    reach = int(np.ceil(ZERO_CROSSINGS / cutoff))
    padded = np.pad(samples.astype(np.float64), reach + 1)
    result = np.empty(-(-len(samples) * target // rate), np.float32)
    for start in range(0, len(result), 4096):
        centres = np.arange(start, min(start + 4096, len(result))) * rate / target
        taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 2)
        t = np.clip((taps - centres[:, None]) * cutoff, -ZERO_CROSSINGS, ZERO_CROSSINGS)
        window = i0(BETA * np.sqrt(1 - (t / ZERO_CROSSINGS) ** 2)) / i0(BETA)
        result[start : start + 4096] = (padded[taps + reach + 1] * np.sinc(t) * window).sum(1) * cutoff
    return result


def _check_complete(path: Path) -> None:
    """DataError when a WAV file is shorter than its header says: libsndfile reads such files without a word."""
    size = path.stat().st_size
    if size == 0:
        raise DataError("is empty (0 bytes)")
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"data":
                if length != 0xFFFFFFFF and file.tell() + length > size:  # all ones: length unknown, a stream
                    raise DataError(f"is truncated ({size - file.tell()} of {length} bytes of samples)")
                return
            file.seek(length + length % 2, 1)
