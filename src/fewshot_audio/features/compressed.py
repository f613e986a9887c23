"""Lengths of FLAC, Ogg and MP3, whose frames and pages are looked at one by one."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from fewshot_audio.types import DataError

FLAC_RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
FLAC_SIZES = (0, 192, *(576 << power for power in range(4)), 0, 0, *(256 << n for n in range(8)))
FLAC_BITS = (0, 8, 12, -1, 16, 20, 24, 32)
TAIL = 2**18  # bytes at the end of a FLAC file in which its last frame begins, and tags after it
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
ALL = 0xFFFFFFFF
MP3_RATES = (44100, 48000, 32000)
MP3_BITS = {  # kbit/s, by version 1 and layer, or version 2 and layer
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SIDE = {  # bytes of side information of an MP3 frame, by whether it is of half a rate, and mono
    (True, True): 9,
    (True, False): 17,
    (False, True): 17,
    (False, False): 32,
}
TAGS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"3DI")  # what may follow the last frame of MP3


@dataclass(frozen=True)
class Patch:
    """Bytes that a file lacks.

    Args:
        place: Where.
        content: The bytes.
        inserted: Whether they stand before what is there, or in its place.
    """

    place: int
    content: bytes
    inserted: bool = False


def at(file: BinaryIO, place: int, length: int) -> bytes:
    """Return so many bytes of a file from a place on, or fewer where it ends."""
    file.seek(place)
    return file.read(length)


def patch(file: BinaryIO, size: int) -> Patch | None:
    """Return what a FLAC, Ogg or MP3 file lacks so that libsndfile reads all of it.

    Raises:
        DataError: It is truncated, damaged, or contradicts itself.
    """
    first = 0
    while (head := at(file, first, 10))[:3] == b"ID3":
        first += 10 + sum(byte << 7 * (3 - number) for number, byte in enumerate(head[6:]))
    if head[:4] == b"fLaC":
        return _of_flac(file, size, first)
    if head[:4] == b"OggS":
        _check_ogg(at(file, first, size))
        return None
    head = at(file, first, TAIL)
    start = _first_frame(head)
    if start and _mp3_frame(head, 0) and re.search(rb"Xing|Info", head[:start]):
        raise DataError("is damaged (in its first frame)")
    return None if start is None else _of_mp3(at(file, first + start, size), first + start)


def _of_flac(file: BinaryIO, size: int, first: int) -> Patch | None:
    """Check a FLAC file against its last frame; one that a stream wrote lacks the length."""
    info = at(file, first + 8, 34).ljust(34, b"\0")
    block, packed = int.from_bytes(info[2:4]), int.from_bytes(info[10:18])
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    total = packed & (1 << 36) - 1
    for length in (TAIL, size):  # nearly always the first will do
        tail = at(file, max(first + 42, size - length), length)
        for place in _flac_places(tail):
            head = tail[place : place + 16].ljust(16, b"\0")
            end = _flac_frame(head, block, rate, channels, bits)
            if end is None:
                continue
            if total == 0:
                return Patch(first + 18, (packed | end).to_bytes(8))
            if end < total:
                raise DataError(f"is truncated ({end / rate:.2f} of {total / rate:.2f} s)")
            if end > total:
                raise DataError(f"contradicts itself: {end} samples, its header says {total}")
            return None
    what = f"{channels} channels of {bits} bits at {rate} Hz"
    raise DataError(f"is truncated or damaged: no frame has {what}, as its header says")


def _flac_places(data: bytes) -> Iterator[int]:
    """Yield where frames of FLAC may begin, from the end on."""
    place = data.rfind(b"\xff")
    while place >= 0:
        if data[place + 1 : place + 2] in (b"\xf8", b"\xf9"):
            yield place
        place = data.rfind(b"\xff", 0, place)


def _flac_frame(head: bytes, block: int, rate: int, channels: int, bits: int) -> int | None:
    """Return the sample at which a frame of FLAC ends, None where none of this kind begins."""
    if head[3] & 1:
        return None
    of_size, of_rate, mode, of_bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    if of_size == 0 or of_rate == 15 or mode > 10 or FLAC_BITS[of_bits] not in (0, bits):
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # the number is written like a letter of UTF-8
    more = max(ones - 1, 0)
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    place = 5 + more
    long = {6: 1, 7: 2}.get(of_size, 0)
    size = int.from_bytes(head[place : place + long]) + 1
    if not long:
        size = FLAC_SIZES[of_size]
    place += long
    long = (0, 1, 2, 2)[of_rate - 11] if of_rate > 11 else 0
    own = int.from_bytes(head[place : place + long]) * (1, 1000, 1, 10)[max(of_rate - 11, 0)]
    own = own if long else FLAC_RATES[of_rate]
    place += long
    fits = own in (0, rate) and (2 if mode > 7 else mode + 1) == channels
    if not fits or _crc8(head[:place]) != head[place]:
        return None
    return (number if head[1] & 1 else number * block) + size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = CRC8[crc ^ byte]
    return crc


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (0x107 if byte & 0x80 else 0)
    return byte


CRC8 = [_crc8_of(byte) for byte in range(256)]


def _check_ogg(data: bytes) -> None:
    """Check the pages of an Ogg file: each has a sum, a number, and the last one says so."""
    place, numbers, last = 0, dict[bytes, int](), False
    while data.startswith(b"OggS", place):
        count = data[place + 26] if place + 26 < len(data) else 255
        body = place + 27 + count
        end = body + sum(data[place + 27 : body])
        if end > len(data):
            raise DataError("is truncated (its last page is not whole)")
        page = bytearray(data[place:end])
        stored, page[22:26] = page[22:26], bytes(4)
        if zlib.crc32(page.translate(REVERSED), ALL) ^ ALL != int.from_bytes(
            stored.translate(REVERSED)
        ):
            raise DataError(f"is damaged (a page at byte {place} does not match its sum)")
        stream, number = bytes(page[14:18]), int.from_bytes(page[18:22], "little")
        if number != numbers.get(stream, number - 1) + 1:
            raise DataError(f"is damaged (pages are missing at byte {place})")
        numbers[stream], last, place = number, bool(page[5] & 4), end
    if not last:
        raise DataError("is truncated (its last page is missing)")


def _mp3_frame(data: bytes, place: int) -> tuple[int, int, int] | None:
    """Return version, bytes and kbit/s of the MP3 frame at a place, None where none begins."""
    if len(data) < place + 4 or data[place] != 0xFF or data[place + 1] < 0xE2:
        return None
    version, layer = data[place + 1] >> 3 & 3, 4 - (data[place + 1] >> 1 & 3)
    of_bits, of_rate, padding = (
        data[place + 2] >> 4,
        data[place + 2] >> 2 & 3,
        data[place + 2] >> 1 & 1,
    )
    if version == 1 or layer == 4 or of_rate == 3 or of_bits in (0, 15):
        return None
    halved = (2, 0, 1, 0)[version]
    rate = MP3_RATES[of_rate] >> halved
    bits = MP3_BITS[2 if halved else 1, layer][of_bits - 1]
    if layer == 1:
        return halved, (12000 * bits // rate + padding) * 4, bits
    return halved, (72000 if halved and layer == 3 else 144000) * bits // rate + padding, bits


def _first_frame(data: bytes) -> int | None:
    """Return where the first frame of MP3 begins, after which another one follows, if any does."""
    for match in re.finditer(rb"\xff[\xe2-\xff]", data):
        start = match.start()
        frame = _mp3_frame(data, start)
        if frame and start + frame[1] == len(data):
            return start
        if frame and data[start + frame[1] :][:2] == data[start : start + 2]:
            return start
    return None


def _of_mp3(data: bytes, first: int) -> Patch | None:
    """Check the frames of an MP3 file; without a count of them libsndfile would guess it."""
    place, count, rates, version = 0, 0, set[int](), data[1] & 0x1E
    while (frame := _mp3_frame(data, place)) and data[place + 1] & 0x1E == version:
        halved, length, bits = frame
        place, count = place + length, count + 1
        rates.add(bits)
    if count == 0:
        return None
    if place > len(data):
        raise DataError("is truncated (its last frame is not whole)")
    mono, rest = data[3] >> 6 == 3, data[place:]
    goes_on = bool(rest.strip(b"\0")) and not rest.startswith(TAGS)
    if goes_on and count == 1:
        raise DataError("is damaged (no frame follows the first one)")
    side = 4 + SIDE[bool(halved), mono]
    if data[side : side + 4] in (b"Xing", b"Info") and data[side + 7] & 1:
        _check_count(data, side, count - 1)
        return None
    is_vbr = len(rates) > 1 and version & 6 == 2 and data[36:40] != b"VBRI"
    return Patch(first, _info(data, side, count), True) if is_vbr and not goes_on else None


def _check_count(data: bytes, side: int, count: int) -> None:
    """Raise DataError where the first frame of MP3 says another number of frames."""
    if data[6:side].strip(b"\0"):
        raise DataError("is damaged (in its first frame)")
    (stated,) = struct.unpack_from(">I", data, side + 8)
    if stated != count:
        raise DataError(f"is truncated or damaged ({count} of {stated} frames)")


def _info(data: bytes, side: int, count: int) -> bytes:
    """Return a frame of MP3 that says how many frames follow, of the kind of the first."""
    head = bytes([0xFF, data[1] | 1, 0x90 | data[2] & 0x0C, data[3]])  # of a usual bit rate
    frame = _mp3_frame(head, 0)
    assert frame is not None  # the first frame has the same version, layer and rate
    content = head + bytes(side - 4) + b"Xing" + struct.pack(">II", 1, count)
    return content.ljust(frame[1], b"\0")
