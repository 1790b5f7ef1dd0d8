"""What a device kind is like: a week, a day and an hour of two of its devices, healthy."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from anomgan.records import TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.kind import Kind

DAY_S = 86_400.0
STRETCHES = {
    "week": (datetime(2024, 6, 3, tzinfo=UTC), 7 * DAY_S, 60.0),
    "day": (datetime(2024, 6, 4, tzinfo=UTC), DAY_S, 10.0),
    "hour": (datetime(2024, 6, 4, 9, tzinfo=UTC), 3600.0, 1.0),
}
"""from when, for how long and how often; the week begins on a Monday"""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A kind and, by stretch, the same two of its devices."""

    kind: Kind[Any, Any, Any]
    stretches: dict[str, list[TimeSeries]]


def portrait(kind: Kind[Any, Any, Any], seed: int = 0) -> Portrait:
    """Simulate all stretches; the settings are the kind's defaults."""
    told = {}
    for name, (start, duration_s, period_s) in STRETCHES.items():
        clock = {"start": start, "duration_s": duration_s, "period_s": period_s, "seed": seed}
        tables = {"clock": clock, "devices": [{"kind": kind.name, "name": f"{kind.name}-", "count": 2, "site": "site"}]}
        told[name] = simulate(parse_scenario(tables, kind.name))
    return Portrait(kind, told)
