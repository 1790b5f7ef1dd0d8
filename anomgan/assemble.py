"""Readings from single metrics, and series from readings.

Where every channel has a topic of its own, `RowAssembler` puts a reading together:

A pure step per device. Parts belong to one row as long as their times lie within half a sampling period of the row's
first part and no channel comes twice. A row is complete when all of the model's channels are there, or when a part
arrives that belongs to a later one; a channel that did not come then reads as missing. A part that is older than the
pending row, or that has none of the model's channels, is a row of its own, for the stream to count and drop. A part
that says again what the row already holds (a message delivered twice) is counted in `repeated`.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomgan.errors import DataError
from anomgan.records import Reading, Source, TimeSeries

SNAPSHOT_VERSION: Literal[1] = 1


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
