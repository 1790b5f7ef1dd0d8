"""How much normal history there is, how much is enough to learn from, and why.

The rules, each with its reason:

- rows of one device: `ROWS_PER_WINDOW` windows' lengths, for a window is a sixth of the longest series (`fit.choose`);
- held-out windows: the last part of every series calibrates. Windows that share no row count, and the prior of a tail
  weighs as much as `calibrate.PRIOR` of them: with fewer, the alarm budget is kept by a guess rather than by the data;
- cycles: two of the slowest cycle that carries a channel have to lie in the part that trains. What was seen once may
  be a cycle or a fault, and the second one tells how much it varies;
- levels: of the held-out part, hardly a value may lie beyond all that was seen before it, or the devices still go where
  they have not been, and would raise alarms there;
- hours that the configuration asks for.

The first two are counted at every reading; for the others the readings have to be looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from anomgan.calibrate import PRIOR
from anomgan.config import DetectorConfig
from anomgan.records import Floats, Source, TimeSeries

LONGEST_WINDOW = 64
"""rows of a window that is chosen from the data, once there are enough of them"""
ROWS_PER_WINDOW = 6
CYCLES = 2.0
CARRIES = 0.4
"""a cycle that makes up so much of a channel's variance carries it"""
GRID = 4096
BEYOND = 0.05
"""the share of a channel's held-out values that may lie beyond all earlier ones"""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing of which there has to be enough, and why, as a sentence that goes on after a colon."""

    what: str
    have: float
    enough: float
    why: str

    @property
    def met(self) -> bool:
        """Whether there is enough."""
        return self.have >= self.enough

    def __str__(self) -> str:
        return f"{'enough' if self.met else 'not yet'}: {self.have:,.6g} of {self.enough:,.6g} {self.what}; {self.why}"


def count_needs(rows: Mapping[Source, int], config: DetectorConfig) -> list[Need]:
    """What is needed of rows, from how many there are of each device."""
    longest = max(rows.values(), default=0)
    window = config.window or LONGEST_WINDOW
    held = ceil(PRIOR * window / config.holdout)
    budget = f"{config.alarms_per_week:g} alarm{'' if config.alarms_per_week == 1 else 's'} a week and device"
    return [
        Need(
            "rows of one device",
            longest,
            ROWS_PER_WINDOW * window,
            f"a window of {window} rows is a sixth of what one device has to show",
        ),
        Need(
            "rows of all devices",
            sum(rows.values()),
            held,
            f"the last {config.holdout:.0%} of them calibrate, and with fewer than {PRIOR:g} windows of {window} rows "
            f"that share none, the threshold for {budget} would be a guess",
        ),
    ]


def look_needs(series: Sequence[TimeSeries], config: DetectorConfig, at_least_h: float = 0.0) -> list[Need]:
    """What is needed of time, of cycles and of levels, from all series of a history."""
    longest = max(series, key=lambda one: one.times[-1] - one.times[0])
    span_h = float(longest.times[-1] - longest.times[0]) / 3600.0
    needs = [] if at_least_h == 0.0 else [Need("hours", span_h, at_least_h, "the configuration asks for so many")]
    channel, cycle_s = slowest_cycle(longest)
    if channel:
        training_h, wanted_h = span_h * (1.0 - config.holdout), CYCLES * cycle_s / 3600.0
        or_trend = ", or a change that is not over" if wanted_h > training_h else ""
        needs.append(
            Need(
                "hours to train on",
                training_h,
                wanted_h,
                f"{CYCLES:g} cycles of {_hours(cycle_s)} in {channel} of {longest.device or 'the device'}{or_trend}",
            )
        )
    channel, inside = level_kept(series, config.holdout)
    strays = f"{channel} strays most, and where devices go that nothing was learned of, they raise alarms"
    why = "the held-out part is where the devices were before" if inside >= 1.0 - BEYOND else strays
    needs.append(Need("of the held-out values within earlier ones", inside, 1.0 - BEYOND, why))
    return needs


def slowest_cycle(one: TimeSeries) -> tuple[str, float]:
    """The channel that is carried by the slowest cycle, and that in seconds; ("", 0) where none carries any.

    From the periodogram of each channel on an even grid, its mean removed, under a Hann window. A slow change that is
    not over shows as a cycle as long as the series.
    """
    span_s = float(one.times[-1] - one.times[0])
    count = min(GRID, len(one)) // 2 * 2
    if count < 16 or span_s <= 0:
        return "", 0.0
    found: tuple[str, float] = ("", 0.0)
    even = np.linspace(one.times[0], one.times[-1], count)
    cell = np.minimum(((one.times - one.times[0]) / span_s * count).astype(np.int64), count - 1)
    for name, column in zip(one.channels, one.values.T, strict=True):
        known = np.isfinite(column)
        total = np.bincount(cell[known], column[known], count)
        many = np.bincount(cell[known], minlength=count)
        there = many > 0
        if there.sum() < count / 4:
            continue
        rows = np.interp(even, even[there], total[there] / many[there])
        rows = (rows - rows.mean()) * np.hanning(count)
        power = np.abs(np.fft.rfft(rows)[1:]) ** 2  # (count / 2,) entry k - 1 has k cycles in the span
        whole = float(power.sum())
        if whole <= 0.0 or not np.isfinite(whole):
            continue
        near = np.convolve(power, np.ones(3), "same")  # the window spreads a line over its neighbours
        carrying = np.flatnonzero(near >= CARRIES * whole)
        if len(carrying):
            best = carrying[np.argmax(near[carrying])]
            around = np.arange(max(best - 1, 0), min(best + 2, len(power)))
            cycles = float(np.average(around + 1.0, weights=power[around]))
            if span_s / cycles > found[1]:
                found = (name, span_s / cycles)
    return found


def level_kept(series: Sequence[TimeSeries], holdout: float) -> tuple[str, float]:
    """The channel that strayed most, and the share of its held-out values that lie within the earlier ones.

    Within each series by itself; a hundredth of the earlier range on both sides counts as within.
    """
    strayed: dict[str, list[Floats]] = {}
    for one in series:
        cut = round(len(one) * (1.0 - holdout))
        for name, column in zip(one.channels, one.values.T, strict=True):
            earlier, later = column[:cut], column[cut:]
            earlier, later = earlier[np.isfinite(earlier)], later[np.isfinite(later)]
            if len(earlier) and len(later):
                low, high = float(earlier.min()), float(earlier.max())
                slack = 0.01 * (high - low)
                strayed.setdefault(name, []).append((later < low - slack) | (later > high + slack))
    shares = {name: float(np.mean(np.concatenate(parts))) for name, parts in strayed.items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    return worst, 1.0 - shares.get(worst, 0.0)


def span_h(series: Sequence[TimeSeries]) -> float:
    """The hours of the longest history."""
    return max((float(one.times[-1] - one.times[0]) for one in series), default=0.0) / 3600.0


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds:.3g} s"
