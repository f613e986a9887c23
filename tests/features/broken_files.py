"""Files of every container and subtype that libsndfile knows, and what may befall them."""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile

SOUNDS = ((1, 16000), (1, 8000), (2, 44100))  # channels, rate in Hz
AUDIO = {  # what the samples begin behind, and how many bytes after it
    "WAV": (b"data", 8),
    "WAVEX": (b"data", 8),
    "RF64": (b"data", 8),
    "W64": (b"data\xf3", 24),
    "AIFF": (b"SSND", 16),
    "AU": (b".snd", 24),
    "CAF": (b"data", 16),
    "FLAC": (b"fLaC", 42),
}
HEADER = 250  # bytes that are changed where there is no such sign
TAGS = (b"fmt ", 8, 10), (b"fmt \xf3", 24, 26), (b"fmt ", 32, 34)  # PCM or float, A-law or u-law
RATE = (b"fmt ", 12, 16), (b"fmt \xf3", 28, 32)
CANNOT_TELL = {  # what nothing else in the file contradicts: after which sign, from, to (bytes)
    "WAV": TAGS,
    "WAVEX": TAGS,
    "RF64": TAGS,
    "W64": TAGS,
    "AIFF": ((b"COMM", 16, 30),),  # rate, and the kind of samples
    "AU": ((b".snd", 4, 24),),  # rate, channels, kind; the length where it becomes a stream's
    "CAF": ((b"desc", 12, 28), (b"kuki", 12, 24)),  # rate, kind of samples, settings of ALAC
    "MP3": ((b"Xing", 0, 160), (b"Info", 0, 160)),  # the tag in the first frame
    "NIST": ((b"sample_rate", 0, 30), (b"sample_coding", 0, 30), (b"sample_byte_format", 0, 30)),
    "GSM610": (*RATE, (b"COMM", 8, 30), (b"SSND", 8, 16)),  # rounded in WAV, uncounted in AIFF
    "IMA_ADPCM": (*RATE, (b"COMM", 8, 30), (b"SSND", 8, 16)),
    "MS_ADPCM": RATE,
    "G721_32": RATE,
    **dict.fromkeys(("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"), RATE),
}


@dataclass(frozen=True)
class Mutation:
    """What was done to a file: how, where (None: to its length), and what came out."""

    how: str
    place: int | None
    content: bytes


def sound(channels, rate):
    """A tone in noise, 0.3 s."""
    noise = np.random.default_rng(rate).standard_normal((int(rate * 0.3), channels))
    tone = np.sin(2 * np.pi * 440 * np.arange(len(noise)) / rate)
    return (0.3 * tone[:, None] + 0.1 * noise).clip(-0.9, 0.9)


def originals(folder, sounds=SOUNDS) -> Iterator[tuple[str, str, bytes]]:
    """Yield format, subtype and content of every file that libsndfile can write."""
    for kind in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(kind):
            file = folder / "original"
            for channels, rate in sounds:
                file.unlink(missing_ok=True)
                settings = {"format": kind, "subtype": subtype}
                try:
                    soundfile.write(file, sound(channels, rate), rate, **settings)
                except (soundfile.LibsndfileError, ValueError):
                    continue
                if file.stat().st_size:
                    yield kind, subtype, file.read_bytes()


def header(kind, content) -> int:
    """Return how many bytes stand before the samples."""
    if kind not in AUDIO:
        return min(HEADER, len(content))
    sign, behind = AUDIO[kind]
    return content.index(sign) + behind


def mutations(kind, content, count, chance: random.Random) -> Iterator[Mutation]:
    """Yield changes: cuts, growth, and other bits, bytes and words in the header."""
    end = header(kind, content) - 4
    for _ in range(count):
        how = chance.choice(["cut", "cut", "grow", "bit", "byte", "word", "size", "gap"])
        place, changed = chance.randrange(end), bytearray(content)
        if how == "cut":
            yield Mutation(how, None, content[: chance.randrange(len(content))])
            continue
        if how == "grow":
            yield Mutation(how, None, content + chance.randbytes(chance.randrange(16, 3000)))
            continue
        if how == "bit":
            changed[place] ^= 1 << chance.randrange(8)
        elif how == "byte":
            changed[place] = chance.randrange(256)
        elif how == "gap":
            del changed[place]
        else:
            sizes = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
            word = chance.choice(sizes) if how == "size" else chance.getrandbits(32)
            changed[place : place + 4] = struct.pack(chance.choice("<>") + "I", word)
        yield Mutation(how, place, bytes(changed))


def cannot_tell(kind, subtype, content, mutation) -> bool:
    """Return whether a container has no means to tell a change."""
    if mutation.place is None:
        return False
    changed = range(mutation.place, mutation.place + 4)
    for sign, first, last in (*CANNOT_TELL.get(kind, ()), *CANNOT_TELL.get(subtype, ())):
        at = content.find(sign)
        if at >= 0 and set(changed) & set(range(at + first, at + last)):
            return True
    return False
