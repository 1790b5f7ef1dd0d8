"""A device's past as columns for charts, and what was wrong with its data meanwhile, as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from anomgan.adapters.downsample import Matrix
from anomgan.adapters.sqlite_band import Step
from anomgan.adapters.sqlite_history import History
from anomgan.band import CENTRE, HIGH, LOW, SPREAD
from anomgan.records import HealthIssue

Json = dict[str, Any]


def history_json(past: History) -> Json:
    """Columns, as charts want them."""
    columns = zip(past.channels, past.units, past.observed.T, past.expected.T, past.contribution.T, strict=True)
    return {
        "times": past.times.round(3),
        "surprise": past.surprise.round(3),  # rounded copies: shorter, and orjson takes contiguous arrays only
        "threshold": past.threshold.round(3),
        "discriminator": past.discriminator.round(3),
        "reconstruction": past.reconstruction.round(3),
        "pattern": past.pattern.round(3),
        "rows": past.rows,
        "gap_s": past.gap_s,
        "channels": [
            {
                "name": name,
                "unit": unit,
                "observed": observed.copy(),
                "expected": expected.copy(),
                "contribution": contribution.round(3),
                "band": band_json(past.bands, i),
                "outside": outside_json(past.outside, i),
                **imputed_json(past, i),
            }
            for i, (name, unit, observed, expected, contribution) in enumerate(columns)
        ],
    }


def band_json(bands: Sequence[Step], channel: int) -> list[Json]:
    """One channel's band since each of the times when it changed: the page draws it around what was expected.

    Its edges are sinh(asinh((expected - centre) / spread) + low or high) * spread + centre; see `anomgan.band`.
    """
    told: list[Json] = []
    for step in bands:
        places = step.band[channel]
        now = {"centre": places[CENTRE], "spread": places[SPREAD], "low": places[LOW], "high": places[HIGH]}
        told.append({"since_s": step.since_s} | {name: float(value) for name, value in now.items()})
    return told


def outside_json(outside: Matrix, channel: int) -> list[tuple[int, float]]:
    """(row, value) of what one channel showed outside its band; most rows have nothing there."""
    column = outside[:, channel]
    at = np.flatnonzero(~np.isnan(column))
    return list(zip(at.tolist(), column[at].tolist(), strict=True))


def imputed_json(past: History, channel: int) -> Json:
    """`imputed`: (row, low, high) of one channel where `expected` was imputed, with the edges of what is likely there;
    nothing where none of the device's rows were."""
    if past.low is None or past.high is None:
        return {}
    low, high = past.low[:, channel], past.high[:, channel]
    at = np.flatnonzero(~np.isnan(low))
    return {"imputed": list(zip(at.tolist(), low[at].tolist(), high[at].tolist(), strict=True))}


def issue_json(issue: HealthIssue) -> Json:
    """One thing that is or was wrong with a device's data."""
    return {
        "id": issue.id,
        "channel": issue.channel,
        "kind": issue.kind,
        "open": issue.state == "open",
        "start_s": issue.start_s,
        "end_s": issue.end_s,
        "reason": issue.reason,
    }
