"""What the header of a file of sound says twice, held against itself."""

import struct
from collections.abc import Mapping

from fewshot_audio.types import DataError

CURE = "write it anew, as by ffmpeg -i OLD NEW.wav"
PLAIN = {1, 3, 6, 7, 0xFFFE}  # formats of WAV whose frames have one size: PCM, float, A-law, u-law
BLOCKS = {2: 0, 0x11: 0, 0x31: 0, 0x38: 160, 0x40: 128}  # and those in blocks of so many samples;
# 0: the header says how many: MS ADPCM, IMA ADPCM, GSM, NMS ADPCM, G.721
PLAIN_AIFF = "none sowt twos raw  fl32 fl64 in24 in32 42ni 23ni ulaw alaw"


def check_frames(held: Mapping[bytes, bytes], order: str) -> None:
    """Raise DataError where rate, channels and bits of WAV or CAF do not agree with each other."""
    if len(held.get(b"fmt ", b"")) >= 16:
        values = struct.unpack_from(f"{order}HHIIHH", held[b"fmt "])
        kind, channels, rate, per_second, frame, bits = values
        if kind in BLOCKS:
            (said,) = struct.unpack_from(f"{order}H", held[b"fmt "].ljust(20, b"\0"), 18)
            samples = BLOCKS[kind] or said
            wrong = abs(per_second * samples - rate * frame) > samples  # it is rounded
        else:
            if kind == 0xFFFE:
                kind = int.from_bytes(held[b"fmt "][24:26], "little")
            whole = channels * (1 if kind in (6, 7) else -(-bits // 8))
            wrong = kind in PLAIN and (frame != whole or per_second != rate * frame)
        if wrong:
            raise DataError(
                f"contradicts itself: {channels} channels of {bits} bits at {rate} Hz, but frames "
                f"of {frame} bytes and {per_second} bytes a second; {CURE}"
            )
    elif len(held.get(b"desc", b"")) >= 32:
        kind, _, frame, count, channels, bits = struct.unpack_from(">4sIIIII", held[b"desc"], 8)
        if kind == b"lpcm" and (count != 1 or frame != channels * -(-bits // 8)):
            raise DataError(
                f"contradicts itself: {channels} channels of {bits} bits, but frames of {frame} "
                f"bytes; {CURE}"
            )


def check_alac(held: Mapping[bytes, bytes], length: int) -> None:
    """Raise DataError where the packets of ALAC are not as long as its table of them says."""
    table, per_packet = held.get(b"pakt", b"").ljust(24, b"\0"), held[b"desc"][20:24]
    packets, valid, before, after = struct.unpack_from(">qqii", table)
    sizes = [0]
    for byte in table[24:]:
        sizes[-1] = sizes[-1] << 7 | byte & 0x7F
        if byte < 0x80:
            sizes.append(0)
    frames = packets * int.from_bytes(per_packet)
    (rate,) = struct.unpack_from(">d", held[b"desc"])
    own = int.from_bytes(held.get(b"kuki", b"")[-4:])
    whole = len(sizes) > packets and sum(sizes[:packets]) == length and not sum(sizes[packets:])
    if not whole or valid + before + after != frames:
        raise DataError(f"contradicts itself: its packets are not as its table says; {CURE}")
    if rate != own:
        raise DataError(f"contradicts itself: rates of {rate:.0f} and {own} Hz; {CURE}")


def check_aiff(common: bytes, length: int) -> None:
    """Raise DataError where the number of frames and their size (bytes) in AIFF do not agree."""
    channels, frames, bits = struct.unpack_from(">HIH", common.ljust(8, b"\0"))
    kind = common[18:22].decode("latin-1").lower() or "none"
    width = 1 if "law" in kind else -(-bits // 8)
    if kind in PLAIN_AIFF and length != frames * channels * width:
        raise DataError(
            f"contradicts itself: {frames} frames of {channels} channels in {length} bytes; {CURE}"
        )
