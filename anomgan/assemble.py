"""Readings from single metrics, and series from readings.

Where every channel has a topic of its own, `RowAssembler` puts a reading together:

A pure step per device. Parts belong to one row as long as their times lie within half a sampling period of the row's
first part and no channel comes twice. A row is complete when all of the model's channels are there, or when a part
arrives that belongs to a later one; a channel that did not come then reads as missing. A part that is older than the
pending row, or that has none of the model's channels, is a row of its own, for the stream to count and drop. A part
that says again what the row already holds (a message delivered twice) is counted in `repeated`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomgan.errors import DataError
from anomgan.records import Reading, Source, TimeSeries

SNAPSHOT_VERSION: Literal[1] = 1
LEAST_SHARE = 0.1


class RowAssembler:
    """What is pending of each device."""

    def __init__(self, channels: Iterable[str], period_s: float) -> None:
        self._channels = frozenset(channels)
        self._span_s = period_s / 2.0
        self.repeated = 0
        self._pending: dict[Source, Reading] = {}

    def push(self, parts: Iterable[Reading]) -> list[Reading]:
        """Parts in, in order of arrival; the rows that they complete out."""
        rows: list[Reading] = []
        for part in parts:
            row = self._pending.get(part.source)
            older = row is not None and part.time_s <= row.time_s - self._span_s
            if older or part.values.keys().isdisjoint(self._channels):
                rows.append(part)
                continue
            near = row is not None and part.time_s < row.time_s + self._span_s
            if row is not None and near and row.values.items() >= part.values.items():
                self.repeated += 1
                continue
            if row is not None and near and row.values.keys().isdisjoint(part.values):
                row = replace(row, values={**row.values, **part.values})
            else:
                if row is not None:
                    rows.append(row)
                row = part
            if row.values.keys() >= self._channels:
                rows.append(row)
                self._pending.pop(part.source, None)
            else:
                self._pending[part.source] = row
        return rows

    def pending(self) -> list[Reading]:
        """The rows that wait for more, as they are."""
        return list(self._pending.values())

    def forget(self, sources: Iterable[Source]) -> int:
        """Let go of what is pending of devices; how many rows that were."""
        return sum(self._pending.pop(source, None) is not None for source in sources)

    def snapshot(self) -> bytes:
        """What is pending, as versioned JSON."""
        pending = [[row.site, row.device, row.time_s, row.values] for row in self._pending.values()]
        return orjson.dumps({"version": SNAPSHOT_VERSION, "repeated": self.repeated, "pending": pending})

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none, which change nothing."""
        try:
            document = _Snapshot.model_validate_json(snapshot)
        except ValidationError as error:
            raise DataError(f"these bytes are not a snapshot of pending rows: {error.errors()[0]['msg']}") from None
        rows = [
            Reading(device, time_s, {name: _number(value) for name, value in values.items()}, site)
            for site, device, time_s, values in document.pending
        ]
        self._pending.update((row.source, row) for row in rows)
        self.repeated = document.repeated

    def __len__(self) -> int:
        """How many rows are pending."""
        return len(self._pending)


class _Snapshot(BaseModel):
    """What `RowAssembler.snapshot` writes."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1]
    repeated: int = Field(ge=0, lt=2**63)
    pending: list[tuple[str, str, float, dict[str, float | None]]]


def _number(value: float | None) -> float:
    """JSON has no NaN: it is null in it."""
    return float("nan") if value is None else value


def series_by_device(readings: Iterable[Reading]) -> dict[Source, TimeSeries]:
    """One series per device, in order of time; of two readings at one time the first counts.

    Channels are those that any of the device's readings has, sorted by first appearance; NaN where one has it not.
    """
    rows: dict[Source, dict[float, Reading]] = {}
    for reading in readings:
        rows.setdefault(reading.source, {}).setdefault(reading.time_s, reading)
    return {source: _series(source[1], [at[time_s] for time_s in sorted(at)]) for source, at in rows.items()}


def _series(device: str, readings: list[Reading]) -> TimeSeries:
    channels = tuple(dict.fromkeys(channel for reading in readings for channel in reading.values))
    values = np.array([[reading.values.get(channel, np.nan) for channel in channels] for reading in readings])
    times = np.array([reading.time_s for reading in readings])
    return TimeSeries(times, values.astype(np.float64), channels, device=device)


def fleet_series(readings: Iterable[Reading], *, partial: bool = False) -> tuple[list[TimeSeries], tuple[str, ...]]:
    """One series per device with the same channels for all, and the channels that were left out (`agreeing`).

    `partial`: a reading may have some of a row's channels only; the rows are put together as `RowAssembler` does it,
    with the period at which the device's most frequent channel comes. Devices with a single row are left out.
    """
    by_device: dict[Source, list[Reading]] = {}
    for reading in readings:
        by_device.setdefault(reading.source, []).append(reading)
    series = []
    for source, theirs in by_device.items():
        theirs.sort(key=lambda reading: reading.time_s)
        series.append(_whole_rows(source, theirs) if partial else series_by_device(theirs)[source])
    return agreeing([one for one in series if len(one) > 1])


def _whole_rows(source: Source, parts: Sequence[Reading]) -> TimeSeries:
    """The series of one device's parts, in order of time."""
    times: dict[str, list[float]] = {}
    for part in parts:
        for name in part.values:
            times.setdefault(name, []).append(part.time_s)
    steps = np.diff(max(times.values(), key=len))
    steps = steps[steps > 0]
    assembler = RowAssembler(times, float(np.median(steps)) if len(steps) else 1.0)
    rows = assembler.push(parts) + assembler.pending()
    return series_by_device(rows)[source]


def agreeing(series: Sequence[TimeSeries]) -> tuple[list[TimeSeries], tuple[str, ...]]:
    """The series with the same channels, a missing one reading NaN; and the channels that were left out.

    Those that fewer than `LEAST_SHARE` of all rows have a value of are: one that comes now and then tells little of a
    window, and a detector would miss it most of the time. DataError where no channel is left.
    """
    rows = sum(map(len, series))
    known: dict[str, int] = {}
    for one in series:
        for name, count in zip(one.channels, np.isfinite(one.values).sum(axis=0).tolist(), strict=True):
            known[name] = known.get(name, 0) + count
    channels = tuple(sorted(name for name, count in known.items() if count >= LEAST_SHARE * rows))
    if not channels:
        raise DataError("the readings have no channel that is there often enough to learn from")
    found = []
    for one in series:
        at = {name: c for c, name in enumerate(one.channels)}
        blank = np.full(len(one), np.nan)
        columns = [one.values[:, at[name]] if name in at else blank for name in channels]
        found.append(TimeSeries(one.times, np.stack(columns, axis=1), channels, device=one.device))
    return found, tuple(sorted(known.keys() - set(channels)))
