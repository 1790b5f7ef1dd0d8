"""Event times in payloads: a number in the unit agreed on, or ISO 8601 text."""

from datetime import UTC, datetime
from decimal import Decimal

from anomgan.config import TimeUnit
from anomgan.errors import PayloadError

PER_SECOND: dict[TimeUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""whole, so that a whole number of nanoseconds becomes the nearest float and not one beside it"""
EARLIEST_S = 946_684_800.0
"""2000-01-01: what is older comes from a clock that was never set"""


def read_time(value: object, unit: TimeUnit, arrival_s: float, max_future_s: float) -> float:
    """Event time in seconds UTC; a missing one (None) is the arrival time, text without a zone is UTC.

    Raises PayloadError: bad_time, time_in_past (before 2000), time_in_future (more than `max_future_s` after arrival),
    or time_in_milliseconds where the number only makes sense in another unit.
    """
    if type(value) is float or type(value) is int:
        time_s = value / PER_SECOND[unit]
    elif value is None:
        return arrival_s
    elif isinstance(value, str):
        time_s = _from_text(value)
    else:
        raise PayloadError("bad_time", f"the time is {_shown(value)}, neither a number nor ISO 8601 text")
    if EARLIEST_S <= time_s <= arrival_s + max_future_s:
        return time_s
    raise _outside(value, unit, time_s, arrival_s + max_future_s)


def write_time(time_s: float, unit: TimeUnit) -> float | int:
    """The number to send: seconds as they are, finer units as integers."""
    if unit == "ns":  # more digits than a float's product has
        return round(Decimal(repr(float(time_s))).scaleb(9))
    return time_s if unit == "s" else round(time_s * PER_SECOND[unit])


def _from_text(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PayloadError("bad_time", f"the time {_shown(text)} is not ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _outside(value: object, unit: TimeUnit, time_s: float, latest_s: float) -> PayloadError:
    """Why a time is refused; where another unit would make sense of the number, that unit is named."""
    if isinstance(value, int | float):
        for other, per_second in PER_SECOND.items():
            if other != unit and EARLIEST_S <= value / per_second <= latest_s:
                message = f"the time {value!r} is no time in {unit}, but it is in {other}: set time_unit = {other!r}"
                return PayloadError("time_in_milliseconds" if time_s > latest_s else "time_in_past", message)
    if time_s > latest_s:
        return PayloadError(
            "time_in_future", f"the time {_shown(value)} is {_ahead(time_s - latest_s)} beyond the limit"
        )
    return PayloadError("time_in_past", f"the time {_shown(value)} is before 2000; is the device's clock set?")


def _ahead(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} days"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:60] + "..."
