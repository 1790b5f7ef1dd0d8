"""Windows over rows: sliding offline, and one pure step per row that this and `fleet_windows` agree with.

The rules, the same offline and online:

- rows count as they come: one row is one step, as long as it follows its predecessor by at most `max_gap_s`;
- a longer step is a gap: the next row starts anew, and no window spans a gap;
- a missing value is held at the channel's last value for at most `max_hold` rows, never across a gap; after that
  the channel reads NaN in the window;
- from the `window`-th row after a start, every `stride`-th row completes a due window.

Values here are already scaled. Letters: C channels, L window length, T time steps, N windows.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """L = window rows, scored every `stride` rows; gaps and holds as the module says."""

    window: int
    stride: int
    max_gap_s: float
    max_hold: int


# ---------------------------------------------------------------- offline


def segment_starts(times: Floats, rule: WindowRule) -> Indices:
    """(T,) for each row the index of the row its segment starts with."""
    index = np.arange(len(times))
    fresh = np.ones(len(times), dtype=bool)
    fresh[1:] = np.diff(times) > rule.max_gap_s
    return np.maximum.accumulate(np.where(fresh, index, 0))


def hold_missing(rows: Rows, starts: Indices, rule: WindowRule) -> Rows:
    """(T, C) with each NaN replaced by the channel's last value where the hold rule allows it."""
    index = np.arange(len(rows))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(rows), -1, index), axis=0)  # (T, C)
    usable = (last >= starts[:, None]) & (index - last <= rule.max_hold)
    held = np.take_along_axis(rows, np.maximum(last, 0), axis=0)
    return np.where(usable, held, np.float32(np.nan)).astype(np.float32)


def due_ends(starts: Indices, rule: WindowRule) -> Indices:
    """(N,) the rows that complete a due window."""
    count = np.arange(len(starts)) - starts + 1
    return np.flatnonzero((count >= rule.window) & ((count - rule.window) % rule.stride == 0))


def carried(ends: Indices, starts: Indices) -> Indices:
    """(T,) the index into `ends` of the newest window that speaks for each row; -1 in warm-up, also after a gap."""
    newest = np.searchsorted(ends, np.arange(len(starts)), side="right") - 1
    known = newest >= 0
    known[known] = ends[newest[known]] >= starts[known]
    return np.where(known, newest, -1)


def waiting_ends(starts: Indices, rule: WindowRule) -> Indices:
    """(M,) the rows in warm-up at which a verdict would be due, were there a window: it is unknown."""
    count = np.arange(len(starts)) - starts + 1
    return np.flatnonzero((count < rule.window) & (count % rule.stride == 0))


def gather_windows(rows: Rows, ends: Indices, window: int) -> Rows:
    """(T, C) and window ends (N,) -> a copy (N, C, L); the last column of a window is its newest row."""
    views = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0)  # (T-L+1, C, L)
    return np.ascontiguousarray(views[ends - window + 1])


# ---------------------------------------------------------------- online, one device, pure


class WindowState(NamedTuple):
    """All that one device's windowing remembers.

    rows (C, L) oldest first, unfilled columns NaN; held (C,) the last valid value; age (C,) rows since that value;
    run = rows since the last start; last_s = time of the newest row (NaN before the first).
    """

    rows: Rows
    held: Rows
    age: NDArray[np.int32]
    run: int
    last_s: float


def empty_state(channels: int, rule: WindowRule) -> WindowState:
    """The state before the first row."""
    return WindowState(
        np.full((channels, rule.window), np.nan, np.float32),
        np.full(channels, np.nan, np.float32),
        np.zeros(channels, np.int32),
        0,
        float("nan"),
    )


def step(rule: WindowRule, state: WindowState, time_s: float, row: Rows) -> tuple[WindowState, Rows | None]:
    """One row (C,) in: the next state and the due window (C, L), or None. Times must increase."""
    fresh = state.run == 0 or time_s - state.last_s > rule.max_gap_s
    valid = ~np.isnan(row)
    held = np.where(valid, row, np.float32(np.nan) if fresh else state.held)
    age = np.where(valid, 0, np.minimum(state.age, np.iinfo(np.int32).max - 1) + 1).astype(np.int32)
    newest = np.where(age <= rule.max_hold, held, np.float32(np.nan))
    run = 1 if fresh else state.run + 1
    before = np.full_like(state.rows, np.nan) if fresh else state.rows
    rows = np.concatenate([before[:, 1:], newest[:, None]], axis=1)
    due = run >= rule.window and (run - rule.window) % rule.stride == 0
    return WindowState(rows, held, age, run, time_s), rows if due else None


_HEAD = struct.Struct("<4sHHIqd")
_MAGIC = b"agWS"
_VERSION = 1


def pack_state(state: WindowState) -> bytes:
    """A state as versioned little-endian bytes."""
    channels, window = state.rows.shape
    head = _HEAD.pack(_MAGIC, _VERSION, channels, window, state.run, state.last_s)
    return b"".join([head, *(part.astype(part.dtype.newbyteorder("<")).tobytes() for part in state[:3])])


def unpack_state(packed: bytes) -> WindowState:
    """The inverse of `pack_state`; DataError for foreign, newer or truncated bytes."""
    if len(packed) < _HEAD.size or not packed.startswith(_MAGIC):
        raise DataError("these bytes are not a window state")
    _, version, channels, window, run, last_s = _HEAD.unpack_from(packed)
    if version != _VERSION:
        raise DataError(f"a window state of version {version}; this version reads {_VERSION}")
    sizes = [4 * channels * window, 4 * channels, 4 * channels]
    if len(packed) != _HEAD.size + sum(sizes):
        raise DataError(f"a window state of {len(packed)} bytes where {_HEAD.size + sum(sizes)} were expected")
    if run < 0 or (run > 0 and not np.isfinite(last_s)):
        raise DataError(f"a window state of {run} rows whose newest is at {last_s} is damaged")
    edges = np.cumsum([_HEAD.size, *sizes])
    rows, held, age = (
        np.frombuffer(packed[a:b], kind) for a, b, kind in zip(edges, edges[1:], ("<f4", "<f4", "<i4"), strict=False)
    )
    return WindowState(rows.reshape(channels, window).copy(), held.copy(), age.copy(), run, last_s)
