"""What to read from an InfluxDB, as people write it, and how the server is asked: InfluxQL (1.x) or Flux (2.x). Pure.

    bucket plant range 7d measurement pump
    bucket plant range 2026-01-01/2026-01-08T12:00 measurement pump device pump_id fields flow,pressure where hall=north

`bucket` is the database in 1.x. `range` is a duration up to now, or an ISO 8601 interval, in UTC where it names no
zone. `device` is the tag that names the device (device, where it is left out); `fields` are the channels, all numeric
ones where they are left out; `where` asks for a tag's value, and may be given several times.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from anomgan.errors import ConfigError

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
KEYS = ("bucket", "range", "measurement", "device", "fields", "where")
_DURATION = re.compile(r"-?(\d+(?:\.\d+)?)([smhdw])")


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What to read: [start_s, stop_s) in event time."""

    bucket: str
    start_s: float
    stop_s: float
    measurement: str
    device: str = "device"
    fields: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()


def duration_s(text: str) -> float:
    """`30m` -> 1800.0; ConfigError for anything that is no number with one of s, m, h, d, w, or is nothing."""
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * UNITS_S[found[2]] if found else 0.0
    if not seconds > 0:
        raise ConfigError(f"{text!r} is not a duration such as 90s, 30m, 6h, 7d or 2w")
    return seconds


def parse_query(text: str, now_s: float) -> HistoryQuery:
    """The query in words; ConfigError says what is missing or not understood."""
    words = text.split()
    given: dict[str, list[str]] = {}
    for key, value in zip(words[::2], [*words[1::2], ""], strict=False):
        if key not in KEYS:
            raise ConfigError(f"{text!r}: {key!r} is none of {', '.join(KEYS)}")
        if not value:
            raise ConfigError(f"{text!r}: {key} wants a value after it")
        if key in given and key != "where":
            raise ConfigError(f"{text!r}: {key} is given twice")
        given.setdefault(key, []).append(value)
    missing = [key for key in ("bucket", "range", "measurement") if key not in given]
    if missing:
        raise ConfigError(f"{text!r}: {' and '.join(missing)} is missing")
    start_s, stop_s = _range(given["range"][0], now_s)
    pairs = [tuple(part.partition("=")[::2]) for part in given.get("where", ())]
    if not all(tag and value for tag, value in pairs):
        raise ConfigError(f"{text!r}: where wants TAG=VALUE")
    fields = tuple(name for name in given.get("fields", [""])[0].split(",") if name)
    return HistoryQuery(
        given["bucket"][0],
        start_s,
        stop_s,
        given["measurement"][0],
        given.get("device", ["device"])[0],
        fields,
        tuple((tag, value) for tag, value in pairs),
    )


def _range(text: str, now_s: float) -> tuple[float, float]:
    if "/" not in text:
        return now_s - duration_s(text), now_s
    try:
        moments = [datetime.fromisoformat(part) for part in text.split("/", 1)]
    except ValueError:
        raise ConfigError(f"range {text!r} is neither a duration such as 7d nor START/STOP in ISO 8601") from None
    start_s, stop_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() for at in moments)
    if not start_s < stop_s:
        raise ConfigError(f"range {text!r} ends before it begins")
    return start_s, stop_s


def influxql(query: HistoryQuery) -> str:
    """A SELECT for InfluxDB 1.x."""
    fields = ", ".join(f"{_name(field)}::field" for field in query.fields) or "*::field"
    conditions = [f"time >= {round(query.start_s * 1e9)}", f"time < {round(query.stop_s * 1e9)}"]
    conditions += [f"{_name(tag)} = {_text(value)}" for tag, value in query.where]
    source = f"{_name(query.measurement)} WHERE {' AND '.join(conditions)} GROUP BY {_name(query.device)}"
    return f"SELECT {fields} FROM {source}"  # noqa: S608 names and texts are quoted above


def flux(query: HistoryQuery) -> str:
    """The same for InfluxDB 2.x; one record per time and field."""
    tests = [("_measurement", query.measurement), *query.where]
    wanted = " and ".join(f"r[{_flux_text(tag)}] == {_flux_text(value)}" for tag, value in tests)
    some = " or ".join(f'r["_field"] == {_flux_text(field)}' for field in query.fields)
    lines = [
        f"from(bucket: {_flux_text(query.bucket)})",
        f"|> range(start: {_flux_time(query.start_s)}, stop: {_flux_time(query.stop_s)})",
        f"|> filter(fn: (r) => {wanted})",
        *([f"|> filter(fn: (r) => {some})"] if some else []),
        f'|> keep(columns: ["_time", "_field", "_value", {_flux_text(query.device)}])',
    ]
    return " ".join(lines)


def number_of(value: object) -> float | None:
    """A field's value as a channel's; None for text and for what is not there."""
    return float(value) if isinstance(value, int | float) else None


def numbers_of(columns: Sequence[str], row: Sequence[object]) -> dict[str, float]:
    """The channels of an InfluxQL row, whose first column is the time."""
    found = {name: number_of(value) for name, value in zip(columns[1:], row[1:], strict=True)}
    return {name: value for name, value in found.items() if value is not None}


def _name(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _flux_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _flux_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
