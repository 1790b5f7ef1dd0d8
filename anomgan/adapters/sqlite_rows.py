"""Records to rows of the embedded store and back, and the one row per device that the fleet view lives from."""

import json
import math
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Event, Source, Verdict

FLOAT32 = np.dtype("<f4")
POINT = struct.Struct("<f")
TRAIL_POINTS = 60
TRAIL_BUCKET_S = 15.0
"""A point of the sparkline is the highest surprise of a bucket, so that no spike is lost; empty buckets are skipped."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The row of one device in the `device` table; `trail_bucket` is the time bucket of the trail's last point."""

    id: int
    first_s: float = math.nan
    time_s: float = -math.inf
    step_s: float = math.nan
    channels_id: int | None = None
    surprise: float = math.nan
    threshold: float = math.nan
    anomalous: bool = False
    trail: bytes = b""
    """float32, little endian, oldest first"""
    trail_bucket: float = math.nan


def advance(latest: Latest, verdicts: Sequence[tuple[int, Verdict]]) -> Latest:
    """The device's row after more verdicts, each with its channels' id; an older one only moves `first_s`."""
    first_s, newest_s, step_s, bucket = latest.first_s, latest.time_s, latest.step_s, latest.trail_bucket
    trail, shown = latest.trail, None
    of = sorted(verdicts, key=lambda pair: pair[1].time_s) if len(verdicts) > 1 else verdicts
    for pair in of:
        time_s, surprise = float(pair[1].time_s), float(pair[1].surprise)
        first_s = time_s if math.isnan(first_s) else min(first_s, time_s)
        if time_s < newest_s or (time_s == newest_s and math.isnan(surprise)):
            continue
        step_s, newest_s, shown = smooth_step(step_s, time_s - newest_s), time_s, pair
        now = math.floor(time_s / TRAIL_BUCKET_S)
        if now != bucket or not trail:
            trail, bucket = trail[-(TRAIL_POINTS - 1) * POINT.size :] + POINT.pack(surprise), now
            continue
        (last,) = POINT.unpack_from(trail, len(trail) - POINT.size)
        if surprise > last or last != last:
            trail = trail[: -POINT.size] + POINT.pack(surprise)
    if shown is None:
        return replace(latest, first_s=first_s)
    channels_id, verdict = shown
    return Latest(
        id=latest.id,
        first_s=first_s,
        time_s=newest_s,
        step_s=step_s,
        channels_id=channels_id,
        surprise=float(verdict.surprise),
        threshold=float(verdict.threshold),
        anomalous=bool(verdict.anomalous),
        trail=trail,
        trail_bucket=bucket,
    )


def smooth_step(smoothed_s: float, step_s: float) -> float:
    """A running mean of the time between verdicts in which one long gap weighs little; NaN until there are two."""
    if not 0.0 < step_s < math.inf:
        return smoothed_s
    if math.isnan(smoothed_s):
        return step_s
    return smoothed_s + 0.1 * (min(step_s, 4.0 * smoothed_s) - smoothed_s)


def read_latest(connection: sqlite3.Connection, source: Source) -> Latest:
    """The stored row of one device."""
    names = "id, first_s, time_s, step_s, channels_id, surprise, threshold, anomalous, trail"
    row = connection.execute(f"SELECT {names} FROM device WHERE site = ? AND device = ?", source).fetchone()  # noqa: S608 a constant
    if row[2] is None:
        return Latest(id=row[0])
    id_, first_s, time_s, step_s, channels_id, surprise, threshold, anomalous, trail = row
    return Latest(
        id=id_,
        first_s=first_s,
        time_s=time_s,
        step_s=nan_if_null(step_s),
        channels_id=channels_id,
        surprise=nan_if_null(surprise),
        threshold=nan_if_null(threshold),
        anomalous=bool(anomalous),
        trail=trail,
        trail_bucket=math.floor(time_s / TRAIL_BUCKET_S),
    )


def verdict_row(device_id: int, channels_id: int, verdict: Verdict) -> tuple[object, ...]:
    """A row of the `verdict` table; SQLite stores NaN as NULL."""
    return (
        device_id,
        float(verdict.time_s),
        channels_id,
        float(verdict.surprise),
        float(verdict.threshold),
        bool(verdict.anomalous),
        float(verdict.discriminator),
        float(verdict.reconstruction),
        float(verdict.pattern),
        pack_floats(verdict.values),
        pack_floats(verdict.expected),
        pack_floats(verdict.contribution),
    )


def pack_floats(values: NDArray[np.float32]) -> bytes:
    """Float32, little endian."""
    return np.asarray(values, FLOAT32).tobytes()


def device_row(revision: int, latest: Latest) -> tuple[object, ...]:
    """The parameters of UPDATE_DEVICE."""
    return (
        revision,
        latest.first_s,
        latest.time_s,
        latest.step_s,
        latest.channels_id,
        latest.surprise,
        latest.threshold,
        latest.anomalous,
        latest.trail,
        latest.id,
    )


def event_row(device_id: int, event: Event) -> tuple[object, ...]:
    """A row of the `event` table."""
    units = event.units or ("",) * len(event.channels)
    told = zip(event.channels, units, event.observed, event.expected, event.contributions, strict=True)
    channels = [[name, unit, *(finite_or_none(value) for value in numbers)] for name, unit, *numbers in told]
    return (
        event.id,
        device_id,
        event.state,
        float(event.start_s),
        float(event.end_s),
        float(event.peak),
        float(event.peak_s),
        event.severity,
        float(event.threshold),
        event.model,
        event.reason,
        json.dumps(channels, ensure_ascii=False),
        event.note,
        event.part_of,
        event.members,
        json.dumps(event.onsets, ensure_ascii=False),
    )


def read_event(site: str, device: str, row: Sequence[Any]) -> Event:
    """The inverse of event_row: a row of the `event` table and its device's names."""
    id_, _, state, start_s, end_s, peak, peak_s, severity, threshold, model, reason, channels = row[:12]
    note, part_of, members = row[12:15]
    onsets = json.loads(row[15])
    told = json.loads(channels)
    numbers = [tuple(math.nan if cell[i] is None else float(cell[i]) for cell in told) for i in (2, 3, 4)]
    return Event(
        id=id_,
        device=device,
        site=site,
        state=state,
        start_s=start_s,
        end_s=end_s,
        peak=nan_if_null(peak),
        peak_s=nan_if_null(peak_s),
        severity=severity,
        channels=tuple(cell[0] for cell in told),
        observed=numbers[0],
        expected=numbers[1],
        contributions=numbers[2],
        reason=reason,
        threshold=nan_if_null(threshold),
        model=model,
        units=tuple(cell[1] for cell in told),
        note=note,
        part_of=part_of,
        members=members,
        onsets=tuple((name, since_s) for name, since_s in onsets),
    )


def pack_names(names: Sequence[str]) -> str:
    """A list of channels or units as the store keeps it."""
    return json.dumps(list(names), ensure_ascii=False)


def unpack_names(text: str) -> tuple[str, ...]:
    """The inverse of pack_names."""
    return tuple(json.loads(text))


def nan_if_null(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else value


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
