"""The rows of lately odd windows, so that they can be remembered when somebody says what they were.

Windows overlap, so a strip of rows says as much as hundreds of them in a fraction of the room. Of a long run the head,
in which the fault comes into view, and the tail, in which it goes, are kept.
"""

import math
import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError

Rows = NDArray[np.float32]
HEAD, TAIL = 4, 2
"""windows' lengths"""
MOST_WINDOWS = 64
LARGEST_SCALED = 1000.0
"""an inverse hyperbolic sine is never so large"""
_HEAD = struct.Struct("<ddqIII")


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Rows under odd windows of one device: head (H, C), the newest tail (T, C) where the head is full, oldest first;
    the times of the first and the newest odd window, and the newest row's number in its segment."""

    first_s: float
    last_s: float
    run: int
    head: Rows
    tail: Rows


def begin(time_s: float, run: int, window: Rows) -> Strip:
    """A strip from its first odd window (C, L)."""
    rows = np.ascontiguousarray(window.T)
    return Strip(time_s, time_s, run, rows, rows[:0])


def extend(strip: Strip, time_s: float, run: int, window: Rows, max_gap_s: float) -> Strip | None:
    """The strip with one more odd window (C, L) of the same device; None where rows are missing in between."""
    fresh, length = run - strip.run, window.shape[1]
    if not 0 < fresh <= length or time_s - strip.last_s > fresh * max_gap_s:
        return None
    rows = window.T[length - fresh :]
    head, tail = strip.head, strip.tail
    if len(tail) == 0 and len(head) + fresh <= HEAD * length:
        head = np.concatenate([head, rows])
    else:
        before = tail if len(tail) else head[-length:]
        tail = np.concatenate([before, rows])[-TAIL * length :]
    return replace(strip, last_s=time_s, run=run, head=head, tail=tail)


def windows_of(strips: list[Strip], length: int) -> Rows:
    """(M, C, L) windows cut from strips, at most MOST_WINDOWS, evenly spaced."""
    pieces = [
        np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)
        for strip in strips
        for rows in (strip.head, strip.tail)
        if len(rows) >= length
    ]
    every = np.concatenate(pieces)
    at = np.unique(np.linspace(0, len(every) - 1, min(len(every), MOST_WINDOWS)).round().astype(int))
    return np.ascontiguousarray(every[at])


def pack_strip(strip: Strip) -> bytes:
    """As little-endian bytes."""
    head = _HEAD.pack(strip.first_s, strip.last_s, strip.run, strip.head.shape[1], len(strip.head), len(strip.tail))
    return head + strip.head.astype("<f4").tobytes() + strip.tail.astype("<f4").tobytes()


def unpack_strip(packed: bytes) -> Strip:
    """The inverse; DataError for bytes of another size."""
    if len(packed) < _HEAD.size:
        raise DataError("a strip of rows is truncated")
    first_s, last_s, run, channels, head, tail = _HEAD.unpack_from(packed)
    if len(packed) != _HEAD.size + 4 * channels * (head + tail):
        raise DataError("a strip of rows is truncated")
    rows = np.frombuffer(packed, "<f4", offset=_HEAD.size).reshape(head + tail, channels).astype(np.float32)
    return Strip(first_s, last_s, run, rows[:head], rows[head:])


def require_fit(strip: Strip, channels: int, length: int) -> None:
    """DataError for a strip that windows of this shape do not leave."""
    (head, wide), tail = strip.head.shape, len(strip.tail)
    if wide != channels or not length <= head <= HEAD * length or not (tail == 0 or length <= tail <= TAIL * length):
        raise DataError("a strip of rows does not fit the windows")
    if not (-math.inf < strip.first_s <= strip.last_s < math.inf and 0 <= strip.run < 2**53):
        raise DataError("a strip of rows has no times")
    if any((np.abs(rows) > LARGEST_SCALED).any() for rows in (strip.head, strip.tail)):
        raise DataError("a strip of rows has values that no scaling gives")
