"""Champion and challenger over the same windows: what was counted, how it is told, and the rule that promotes.

The rule, where the configuration says `promote = "auto"`: after `shadow_h` hours in the shadow and `LEAST_WINDOWS`
windows, a challenger is promoted when

1. it would have told no more events than the champion, or than the alarm budget allows (two standard deviations of a
   Poisson count above its mean), and
2. it called no more windows anomalous than twice the champion's, or than one in a hundred (an event that never ends is
   only one), and
3. it would have told every event of the champion that was worse than minor.

Otherwise it stays in the shadow, and a person decides.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

WEEK_S = 7 * 86_400.0
BIN = 0.25
BINS = 49
"""surprises from 0 to 12, and all beyond in the last"""
LEAST_WINDOWS = 1000
SHOWN = 10
"""events of each that are kept as they would have been told"""


@dataclass(slots=True)
class Side:
    """What one of the two said: anomalous windows, events that opened, those that are open, surprises by BIN, CPU
    seconds, the newest events that are over."""

    anomalous: int = 0
    events: int = 0
    open: list[str] = field(default_factory=list)
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    cpu_s: float = 0.0
    newest: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The surprise that this share of the windows stays below, to the upper edge of its bin."""
        left = share * sum(self.bins)
        for number, count in enumerate(self.bins):
            left -= count
            if left <= 0:
                return (number + 1) * BIN
        return BINS * BIN


@dataclass(slots=True)
class Comparison:
    """What was counted since the challenger came: windows that both scored, device-seconds, hours of event time."""

    champion_name: str
    challenger_name: str
    alarms_per_week: float
    windows: int = 0
    both: int = 0
    device_s: float = 0.0
    first_s: float | None = None
    last_s: float | None = None
    severe: int = 0
    """events of the champion that are over and were worse than minor"""
    severe_missed: int = 0
    champion: Side = field(default_factory=Side)
    challenger: Side = field(default_factory=Side)

    @property
    def hours(self) -> float:
        """Event time since the first window."""
        return 0.0 if self.first_s is None or self.last_s is None else (self.last_s - self.first_s) / 3600.0

    @property
    def allowed(self) -> float:
        """How many events the alarm budget allows in this time, at most."""
        expected = self.alarms_per_week * self.device_s / WEEK_S
        return expected + 2.0 * sqrt(expected)

    def document(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


def comparison_from(document: dict[str, Any]) -> Comparison:
    """The inverse of `document`; TypeError or KeyError for anything else."""
    sides = {name: Side(**document[name]) for name in ("champion", "challenger")}
    return Comparison(**(document | sides))


def judged(one: Comparison, shadow_h: float) -> tuple[bool, str]:
    """Whether the rule promotes the challenger, and why or why not."""
    if one.hours < shadow_h or one.windows < LEAST_WINDOWS:
        return False, (
            f"so far {one.hours:.3g} of {shadow_h:g} hours and {one.windows:,} of {LEAST_WINDOWS:,} windows in shadow"
        )
    told = f"it would have told {one.challenger.events} events, the champion told {one.champion.events}"
    most = max(float(one.champion.events), one.allowed)
    if one.challenger.events > most:
        return False, f"{told}, and the alarm budget allows {one.allowed:.1f}"
    if one.challenger.anomalous > max(2 * one.champion.anomalous, one.windows // 100):
        return False, (
            f"{told}, but it calls {one.challenger.anomalous:,} windows anomalous, the champion "
            f"{one.champion.anomalous:,}"
        )
    if one.severe_missed:
        return False, f"{told}, and it missed {one.severe_missed} of {one.severe} that were worse than minor"
    return True, f"{told}, the alarm budget allows {one.allowed:.1f}, and it missed none that was worse than minor"


def told(one: Comparison, shadow_h: float) -> Sequence[str]:
    """The report, line by line."""
    weeks = one.device_s / WEEK_S
    lines = [
        f"shadow: {one.challenger_name} beside {one.champion_name} over {one.hours:.3g} h, {one.windows:,} windows, "
        f"{weeks:.3g} device-weeks; budget {one.alarms_per_week:g} a week and device",
    ]
    for role, name, side in (
        ("champion", one.champion_name, one.champion),
        ("challenger", one.challenger_name, one.challenger),
    ):
        rate = f"{side.events / weeks:.3g} a device-week" if weeks else "no rate yet"
        cost = f"{side.cpu_s / one.windows * 1e6:.0f} µs a window" if one.windows and side.cpu_s else "cost unknown"
        lines.append(
            f"  {role:<10} {name}: {side.anomalous:,} anomalous windows, {side.events} events ({rate}), surprise at "
            f"50/99/99.9 % {side.quantile(0.5):g}/{side.quantile(0.99):g}/{side.quantile(0.999):g}, {cost}"
        )
        lines += [f"    {event}" for event in side.newest]
    either = one.champion.anomalous + one.challenger.anomalous - one.both
    same = one.windows - either + one.both
    lines.append(
        f"  agreement: the same verdict on {same / max(1, one.windows):.2%} of windows; of {either:,} anomalous "
        f"to either, {one.both:,} to both"
    )
    promotes, why = judged(one, shadow_h)
    lines.append(f"  the rule {'promotes it' if promotes else 'does not promote it'}: {why}")
    return lines
