"""From a file to mono samples at the study's rate."""

import struct
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

from fewshot_audio.types import DataError

LARGEST_KERNEL = 1 << 25  # samples; rates with a tiny common divisor would need more


def load(path: Path, sample_rate: int) -> np.ndarray:
    """An audio file to float32 samples (samples,): mean of its channels, resampled to the rate, level untouched.

    DataError, with the reason, for a file that is empty, truncated, corrupt, without samples or holds NaN or infinity.
    """
    try:
        _check_complete(path)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except FileNotFoundError as error:
        raise DataError("missing") from error
    except (OSError, soundfile.LibsndfileError, struct.error) as error:
        raise DataError(f"cannot be read ({error})") from error
    if len(samples) == 0:
        raise DataError("has no samples")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    return resample(samples.mean(axis=1), rate, sample_rate)


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Samples (samples,) at one rate to another in Hz, with the windowed sinc of librosa 0.6's kaiser_best.

    Source of the filter's numbers: resampy (McFee), 64 zero crossings, roll-off 0.9476, beta 14.77.
    """
    if rate == target:
        return samples
    with torch.inference_mode():
        return _resampler(rate, target)(torch.from_numpy(samples)).numpy()


@cache
def _resampler(rate: int, target: int) -> torchaudio.transforms.Resample:
    divisor = np.gcd(rate, target)
    if (rate // divisor) * (target // divisor) > LARGEST_KERNEL:
        raise DataError(f"has {rate} Hz, which shares no useful divisor with {target} Hz; convert it to a usual rate first")
    return torchaudio.transforms.Resample(
        rate,
        target,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        beta=14.769656459379492,
    )


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
