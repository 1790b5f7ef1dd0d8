"""The windowing state of a whole fleet as arrays: what `windows.step` does to a row, done to a batch of them at once.

Letters: D devices, C channels, L window length, n rows of a batch, M windows that they complete.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.groups import Groups, group
from anomgan.growth import room_for
from anomgan.records import Floats
from anomgan.windows import Indices, Rows, WindowRule, WindowState, gather_windows

OLDEST = np.iinfo(np.int32).max


class Pushed(NamedTuple):
    """What a batch did: run (n,) rows since the start, with this one; due (M,) the rows that complete a window, in
    order, and those windows (M, C, L), oldest row first; gaps: how many rows began anew after others."""

    run: Indices
    due: Indices
    windows: Rows
    gaps: int


class FleetWindows:
    """Ring buffers (D, C, L) of many devices, that grow as `room_for` says. Devices are numbered by `add()`."""

    def __init__(self, channels: int, rule: WindowRule) -> None:
        self.rule = rule
        self.channels = channels
        self.devices = 0
        self._allocate(room_for(1, 0))

    def _allocate(self, capacity: int) -> None:
        shape = (capacity, self.channels)
        self.ring: Rows = np.full((*shape, self.rule.window), np.nan, np.float32)
        self.held = np.full(shape, np.nan, np.float32)
        self.age = np.zeros(shape, np.int32)
        self.run = np.zeros(capacity, np.int64)
        self.last_s = np.full(capacity, np.nan)

    def _arrays(self) -> list[NDArray[Any]]:
        return [self.ring, self.held, self.age, self.run, self.last_s]

    def add(self) -> int:
        """Make room for one more device and return its number."""
        if self.devices == len(self.run):
            old = self._arrays()
            self._allocate(room_for(self.devices + 1, self.devices))
            for new, array in zip(self._arrays(), old, strict=True):
                new[: self.devices] = array
        self.devices += 1
        return self.devices - 1

    def keep(self, numbers: Indices) -> None:
        """Let go of all devices but these (K,), rising, which are numbered anew in that order."""
        old, self.devices = self._arrays(), len(numbers)
        self._allocate(room_for(self.devices, 0))
        for new, array in zip(self._arrays(), old, strict=True):
            new[: self.devices] = array[numbers]

    def push(self, who: Indices, times: Floats, rows: Rows) -> Pushed:
        """Scaled rows (n, C) of devices `who` (n,) at times (n,), each device's in order; n >= 1."""
        batch = group(who)
        return self._one_each(who, times, rows) if batch.single else self._several(batch, times, rows)

    def _one_each(self, who: Indices, times: Floats, rows: Rows) -> Pushed:
        rule, before = self.rule, self.run[who]
        fresh = (before == 0) | (times - self.last_s[who] > rule.max_gap_s)
        missing = np.isnan(rows)
        held = np.where(missing, np.where(fresh[:, None], np.float32(np.nan), self.held[who]), rows)
        age = np.where(missing, np.minimum(self.age[who], OLDEST - 1) + 1, 0).astype(np.int32)
        run = np.where(fresh, 1, before + 1)
        self.ring[who, :, (run - 1) % rule.window] = np.where(age <= rule.max_hold, held, np.float32(np.nan))
        self.held[who], self.age[who], self.run[who], self.last_s[who] = held, age, run, times
        due = np.flatnonzero(self._due(run))
        return Pushed(run, due, self.windows(who[due]), int(np.count_nonzero(fresh & (before > 0))))

    def _several(self, batch: Groups, times: Floats, rows: Rows) -> Pushed:
        """Devices' rows one device after another, each looking back at those before it and at what was there."""
        rule, who, first, of = self.rule, batch.numbers, batch.first, batch.of
        t, x = times[batch.order], rows[batch.order]
        index, head = np.arange(len(t)), first[of]
        before_s = np.append(np.nan, t[:-1])
        before_s[first] = self.last_s[who]
        fresh = t - before_s > rule.max_gap_s
        fresh[first] |= self.run[who] == 0
        start = np.maximum.accumulate(np.where(fresh, index, -1))
        anew = start >= head  # began in this batch
        begin = np.where(anew, start, head)  # as far back as a row may look in this batch
        run = np.where(anew, 0, self.run[who][of]) + index - begin + 1
        gaps = int(np.count_nonzero(fresh)) - int(np.count_nonzero(fresh[first] & (self.run[who] == 0)))

        valid = np.maximum.accumulate(
            np.where(np.isnan(x), -1, index[:, None]), axis=0
        )  # (n, C) the newest value's row
        earlier = np.where(anew[:, None], np.float32(np.nan), self.held[who][of])
        held = np.where(valid >= begin[:, None], np.take_along_axis(x, np.maximum(valid, 0), axis=0), earlier)
        unheard = self.age[who][of].astype(np.int64) + (index - head + 1)[:, None]
        age = np.where(valid >= head[:, None], index[:, None] - valid, np.minimum(unheard, OLDEST)).astype(np.int32)
        newest = np.where(age <= rule.max_hold, held, np.float32(np.nan))

        due = np.flatnonzero(self._due(run))
        windows = self._looking_back(batch, newest, due)
        last = batch.last
        kept = (index > last[of] - rule.window) & (index >= begin[last][of])
        self.ring[who[of[kept]], :, (run[kept] - 1) % rule.window] = newest[kept]
        self.held[who], self.age[who], self.run[who], self.last_s[who] = held[last], age[last], run[last], t[last]

        runs, order = np.empty_like(run), np.argsort(batch.order[due])
        runs[batch.order] = run
        return Pushed(runs, batch.order[due][order], windows[order], gaps)

    def _looking_back(self, batch: Groups, newest: Rows, due: Indices) -> Rows:
        """The windows (M, C, L) that end with `due` rows, from the rings as they were and the rows (n, C) since."""
        length, of = self.rule.window, batch.of
        wanted = np.zeros(len(batch.numbers), bool)
        wanted[of[due]] = True
        if not len(due):
            return np.empty((0, self.channels, length), np.float32)
        sizes = np.where(wanted, length + batch.last - batch.first + 1, 0)
        offset = np.cumsum(sizes) - sizes
        line = np.empty((sizes.sum(), self.channels), np.float32)  # each device's ring, then its rows
        past = self.windows(batch.numbers[wanted]).transpose(0, 2, 1)
        line[(offset[wanted][:, None] + np.arange(length)).ravel()] = past.reshape(-1, self.channels)
        place = offset[of] + length + np.arange(len(of)) - batch.first[of]
        line[place[wanted[of]]] = newest[wanted[of]]
        return gather_windows(line, place[due], length)

    def _due(self, run: Indices) -> NDArray[np.bool_]:
        due: NDArray[np.bool_] = (run >= self.rule.window) & ((run - self.rule.window) % self.rule.stride == 0)
        return due

    def windows(self, who: Indices) -> Rows:
        """The newest windows (n, C, L) of devices `who` (n,), oldest row first."""
        order = (self.run[who][:, None] + np.arange(self.rule.window)) % self.rule.window  # (n, L)
        return np.ascontiguousarray(np.take_along_axis(self.ring[who], order[:, None, :], axis=2))

    def state(self, who: int) -> WindowState:
        """One device's state in the pure form; columns from before its last start read NaN."""
        return self.states(np.array([who]))[0]

    def states(self, who: Indices) -> list[WindowState]:
        """The same of devices `who` (n,), for a fraction of the time of n calls."""
        rows, run = self.windows(who), self.run[who]
        before = np.arange(self.rule.window) < (self.rule.window - run)[:, None]  # (n, L)
        rows = np.where(before[:, None], np.float32(np.nan), rows)
        parts = zip(rows, self.held[who], self.age[who], run.tolist(), self.last_s[who].tolist(), strict=True)
        return [WindowState(*part) for part in parts]

    def restore(self, who: int, state: WindowState) -> None:
        """Put a state back; DataError where it was made for another window or number of channels."""
        self.require_fit(state)
        order = (state.run + np.arange(self.rule.window)) % self.rule.window
        self.ring[who][:, order] = state.rows
        self.held[who], self.age[who] = state.held, state.age
        self.run[who], self.last_s[who] = state.run, state.last_s

    def require_fit(self, state: WindowState) -> None:
        """DataError where a state was made for another window or number of channels."""
        if state.rows.shape != (self.channels, self.rule.window):
            raise DataError(f"a window state of shape {state.rows.shape} does not fit {self.ring.shape[1:]}")

    def bytes_per_device(self) -> int:
        """What one device costs in these arrays."""
        return sum(array[:1].nbytes for array in self._arrays())
