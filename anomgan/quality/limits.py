"""What a channel's readings look like on normal data: the bounds beyond which its sensor is sick, not the process.

Learned per channel, from series that are known to be normal:

- usual range: the 0.1 % and 99.9 % quantiles; what lies outside may well be a process fault and is the model's affair;
- physical range: given by configuration, or else ten thousand times the largest value of training, which no process
  reaches: only overflows and garbage do;
- stuck: how many equal values in a row are too many: four times the longest run of training, but at least the run in
  which the channel would have changed 24 times. Up to four levels at which it rests longer (the current of a
  compressor that is off) are exempt;
- missing: four times the longest run without a value, at least 32 rows;
- a counter never falls but to begin anew near 0, rises at least 50 times, and has no range;
- a state (see `roles`): the states that there are;
- a constant and a channel of fewer than 12 levels say too little: of those, as of a state, only a given range and
  missing are judged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries
from anomgan.roles import measured_channels
from anomgan.scaling import usable

USUAL = (0.001, 0.999)
BEYOND = 1e4
LONGER = 4.0
MISSED_CHANGES = 24
MISSED_VALUES = 32
RESTING_LEVELS = 4
FEWEST_LEVELS = 12
FEWEST_RISES = 50
ANEW = 0.1
"""a counter that falls to less than this share of what it was has begun anew"""
NEVER = 0
"""of `stuck_after` and `missing_after`: it is not judged"""

ChannelKind = Literal["measured", "counter", "coarse", "unused"]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of one channel, in its unit and in rows. NaN where there is nothing to tell, ±inf = no bound.

    kind: "coarse" = a state, a constant or too few levels; "unused" = without a value in training.
    low, high: usual range; least, most: physical range; step: mean size of a move; leap: its 99.9 % quantile, rows
    without a move counting as 0; stuck_after, missing_after: rows, NEVER = not judged; resting: levels where it may
    stand still; states: of a state, all that were seen.
    """

    kind: ChannelKind
    low: float
    high: float
    least: float
    most: float
    step: float
    leap: float
    stuck_after: int
    missing_after: int
    resting: tuple[float, ...] = ()
    states: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of all channels of a model; gap_s: but for one in a thousand, readings follow each other within it."""

    channels: tuple[str, ...]
    units: tuple[str, ...]
    period_s: float
    gap_s: float
    of: tuple[ChannelLimits, ...]


_ANYTHING = ChannelLimits("unused", math.nan, math.nan, -math.inf, math.inf, math.nan, math.nan, NEVER, NEVER)


def learn_limits(series: TimeSeries | Sequence[TimeSeries], ranges: Ranges | None = None) -> Limits:
    """The limits of normal series of the same channels; `ranges` are physical ranges that are known.

    Raises DataError where the series do not agree, or for a range of an unknown channel or the wrong way round.
    """
    given = [series] if isinstance(series, TimeSeries) else list(series)
    if not given or any(one.channels != given[0].channels for one in given):
        raise DataError("limits are learned from series of the same channels, at least one")
    first = given[0]
    if not first.channels:
        raise DataError("a series without channels has no limits")
    period_s = float(np.median([one.period_s for one in given]))
    steps = np.concatenate([np.diff(one.times) for one in given])
    gap_s = float(np.quantile(steps, 0.999)) if len(steps) else period_s
    measured = measured_channels(np.concatenate([one.values for one in given]))
    of = [_learn([usable(one.values[:, c]) for one in given], bool(measured[c])) for c in range(len(first.channels))]
    return with_ranges(Limits(first.channels, first.units, period_s, gap_s, tuple(of)), ranges or {})


def with_ranges(limits: Limits, ranges: Ranges) -> Limits:
    """The limits with physical ranges that are known; DataError for an unknown channel or an empty range."""
    of = dict(zip(limits.channels, limits.of, strict=True))
    for channel, (least, most) in ranges.items():
        if channel not in of:
            raise DataError(f"a range is given for {channel!r}, which is none of the channels {list(limits.channels)}")
        if not least < most:
            raise DataError(f"the range of {channel!r}, {least:g} to {most:g}, is empty")
        of[channel] = replace(of[channel], least=float(least), most=float(most))
    return replace(limits, of=tuple(of.values()))


def without(limits: Limits, may_stand_still: Sequence[str] = (), leave_alone: Sequence[str] = ()) -> Limits:
    """The limits with channels that may stand still as long as they like, and others of which nothing is judged.

    DataError for an unknown one.
    """
    unknown = [channel for channel in (*may_stand_still, *leave_alone) if channel not in limits.channels]
    if unknown:
        raise DataError(f"no channel is called {unknown[0]!r}; the channels are {list(limits.channels)}")
    of = [
        replace(_ANYTHING, low=one.low, high=one.high)
        if channel in leave_alone
        else replace(one, stuck_after=NEVER)
        if channel in may_stand_still
        else one
        for channel, one in zip(limits.channels, limits.of, strict=True)
    ]
    return replace(limits, of=tuple(of))


def no_limits(channels: Sequence[str], units: Sequence[str], period_s: float) -> Limits:
    """What is known of channels whose training nobody watched: nothing is judged but how their readings arrive."""
    return Limits(tuple(channels), tuple(units), period_s, period_s, (_ANYTHING,) * len(channels))


# ---------------------------------------------------------------- one channel


def _learn(columns: list[Floats], measured: bool) -> ChannelLimits:
    """One channel, a column (T,) per series."""
    parts = [column[~np.isnan(column)] for column in columns]
    values = np.concatenate(parts)
    if len(values) == 0:
        return _ANYTHING
    missing_after = max(MISSED_VALUES, math.ceil(LONGER * max(_longest_missing(column) for column in columns)))
    low, high = (float(bound) for bound in np.quantile(values, USUAL))
    moves = np.concatenate([np.abs(np.diff(part)) for part in parts])
    nonzero = moves[moves > 0]
    step = float(nonzero.mean()) if len(nonzero) else 0.0
    leap = float(np.quantile(moves, USUAL[1])) if len(moves) else 0.0
    open_ended = ChannelLimits("coarse", low, high, -math.inf, math.inf, step, leap, NEVER, missing_after)
    levels = np.unique(values)
    if not measured:
        return replace(open_ended, states=tuple(levels.tolist()))
    if low == high or len(levels) < FEWEST_LEVELS:
        return open_ended
    if _counts(parts):
        return replace(open_ended, kind="counter")
    reach = BEYOND * float(np.abs(values).max())
    stuck_after, resting = _stillness(parts)
    return replace(open_ended, kind="measured", least=-reach, most=reach, stuck_after=stuck_after, resting=resting)


class Runs(NamedTuple):
    """Runs of equal values: level and length of each."""

    levels: Floats
    lengths: Floats


def runs_of(values: Floats) -> Runs:
    """The runs of equal values in (T,), T at least 1, without NaN."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return Runs(values[starts], np.diff(np.append(starts, len(values))).astype(np.float64))


def _stillness(parts: list[Floats]) -> tuple[int, tuple[float, ...]]:
    """After how many equal values a channel is stuck, and the levels at which it rests."""
    found = [runs_of(part) for part in parts if len(part)]
    levels, lengths = (np.concatenate(column) for column in zip(*found, strict=True))
    names, which = np.unique(levels, return_inverse=True)
    longest = np.zeros(len(names))
    np.maximum.at(longest, which, lengths)
    order = np.argsort(-longest, kind="stable")
    top, rest = order[:RESTING_LEVELS], order[RESTING_LEVELS:]
    ordinary = ~np.isin(which, top)
    mean_run = float(lengths[ordinary].mean())
    after = math.ceil(max(MISSED_CHANGES * mean_run, LONGER * float(longest[rest[0]])))
    if LONGER * after > sum(map(len, parts)):
        return NEVER, ()  # too little history to know how long it may stand still
    return after, tuple(sorted(names[level].item() for level in top if 2.0 * longest[level] > after))


def _counts(parts: list[Floats]) -> bool:
    """Whether a channel is a counter: it rises, and falls only to begin anew."""
    rises = 0
    for part in parts:
        moves = np.diff(part)
        fallen = np.flatnonzero(moves < 0)
        anew = part[fallen + 1] <= ANEW * part[fallen]
        if np.any(part < 0) or not anew.all() or len(fallen) > 0.01 * np.count_nonzero(moves > 0):
            return False
        rises += int(np.count_nonzero(moves > 0))
    return rises >= FEWEST_RISES


def _longest_missing(column: Floats) -> int:
    """The longest run of NaN between two values."""
    there = np.flatnonzero(~np.isnan(column))
    return int(np.diff(there).max()) - 1 if len(there) > 1 else 0


# ---------------------------------------------------------------- as JSON, for a model file


def limits_to_json(limits: Limits) -> dict[str, Any]:
    """As plain JSON values; a number that is not finite is null."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    of = [{key: plain(value) for key, value in asdict(one).items()} for one in limits.of]
    return {
        "channels": list(limits.channels),
        "units": list(limits.units),
        "period_s": limits.period_s,
        "gap_s": limits.gap_s,
        "of": [one | {key: list(one[key]) for key in ("resting", "states")} for one in of],
    }


def limits_from_json(document: object) -> Limits:
    """The inverse of `limits_to_json`; DataError for anything else."""
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"these are no limits of channels: {error}") from None


def _read(document: Any) -> Limits:
    channels, units = tuple(document["channels"]), tuple(document["units"])
    if not all(isinstance(name, str) for name in channels + units) or len(set(channels)) < len(channels):
        raise ValueError("channels and units are not names")
    of = []
    for given in document["of"]:
        one = ChannelLimits(
            kind=given["kind"],
            low=_number(given["low"], math.nan),
            high=_number(given["high"], math.nan),
            least=_number(given["least"], -math.inf),
            most=_number(given["most"], math.inf),
            step=_number(given["step"], math.nan),
            leap=_number(given["leap"], math.nan),
            stuck_after=_rows(given["stuck_after"]),
            missing_after=_rows(given["missing_after"]),
            resting=tuple(_number(level, math.nan) for level in given["resting"]),
            states=tuple(_number(state, math.nan) for state in given["states"]),
        )
        known = one.kind == "unused" or all(map(math.isfinite, (one.low, one.high, one.step, one.leap)))
        known = known and all(map(math.isfinite, (*one.resting, *one.states)))
        if one.kind not in get_args(ChannelKind) or not known or not one.least < one.most or one.low > one.high:
            raise ValueError(f"{one}")
        of.append(one)
    if not 0 < len(channels) == len(units) == len(of):
        raise ValueError(f"{len(channels)} channels, {len(units)} units, {len(of)} limits")
    period_s, gap_s = (_number(document[key], math.nan) for key in ("period_s", "gap_s"))
    if not (period_s > 0 and gap_s > 0):
        raise ValueError(f"a period of {period_s} s with gaps of {gap_s} s")
    return Limits(channels, units, period_s, gap_s, tuple(of))


def _rows(given: Any) -> int:
    if type(given) is not int or given < 0:
        raise ValueError(f"{given!r} is no number of rows")
    return given


def _number(given: Any, null: float) -> float:
    if given is None:
        return null
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"{given!r} is no number")
    return float(given)
