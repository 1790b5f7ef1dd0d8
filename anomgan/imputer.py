"""What an event should have looked like, by a synthesizer: the channels that it blames, imputed from the others.

What a detector expects comes from its own reconstruction of the odd window, which the fault has a part in. Here the
blamed channels are hidden over the odd rows, and a synthesizer of the same device completes them from the other
channels and the rows before. As few channels are hidden as it takes until the window at the peak, with what was imputed
in their place, is calm to the detector: first the one that contributed most, then, again and again, the one that
contributes most to what is still odd. Where half of the channels, or MOST_HIDDEN, are not enough, too little is left to
go by, and the detector's own word stays: so it does for a fault of the machine that shows everywhere.

imputer = Imputer(Detector.load("pump.safetensors"), Synthesizer.load("pump-gan.safetensors"))
for told in imputer.events(series):
    print(told.event.reason, told.expected, told.kept)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomgan.config import DecideConfig
from anomgan.decide import decide_all, retold
from anomgan.detector import Detector
from anomgan.errors import DataError, ModelFileError
from anomgan.expected import Expected
from anomgan.explain import Onsets
from anomgan.records import Event, Floats, TimeSeries, Verdict
from anomgan.score import newest_span
from anomgan.synthesis.conditions import DEVICE, HOUR, WEEKDAY
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.windows import gather_windows, hold_missing, segment_starts

DRAWS = 16
"""likely courses of which the middle and the band are taken"""
MOST_HIDDEN = 6
"""channels, so that no event takes long"""
EARLIER = 4
"""hidden is also this share of a window, as a divisor, before the onset: what is off is noticed late"""
UNLIKE = 0.05
"""how far the two models' periods may be from each other, as a share"""
TOO_FEW_ROWS, EVERYWHERE, REFUSED = "too_few_rows", "everywhere", "refused"
"""why the detector's own expectation stays: its window is not there as a whole; the fault shows in too many channels;
the synthesizer cannot complete the rows"""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """An event told by what was imputed, and that; or as it was, `expected` None, `kept` and `words` saying why."""

    event: Event
    expected: Expected | None
    kept: str = ""
    words: str = ""


class Imputer:
    """A synthesizer beside a detector of the same device; ModelFileError, naming `where`, where they do not fit."""

    def __init__(self, detector: Detector, synthesizer: Synthesizer, where: str = "the synthesizer") -> None:
        for fault in _misfits(detector, synthesizer):
            raise ModelFileError(f"{where}: does not fit the detector: {fault}")
        self.detector = detector
        self.synthesizer = synthesizer
        self._context = (synthesizer.config.window or 0) // 2
        self.rows = detector.rule.window + self._context
        """of a device, up to an event's opening, that it goes by"""

    def explain(
        self, rule: DecideConfig, event: Event, oddest: Verdict, onsets: Onsets, series: TimeSeries
    ) -> Explained:
        """The event with what was to be expected, imputed from the device's rows; those after its end do not count.

        `oddest` is its oddest verdict, `onsets` since when its channels are off, both as deciding has them. Values in
        the order of the detector's channels are best; missing channels read NaN.
        """
        one = self.detector.aligned(series)
        one = one[: int(np.searchsorted(one.times, event.end_s, "right"))]
        if self._window(one, one.values, oddest) is None:
            return Explained(event, None, TOO_FEW_ROWS, "its oddest window is not among the rows that are known")
        try:
            expected = self._expected(event, oddest, one, rule.close_level * oddest.threshold)
        except DataError as error:
            return Explained(event, None, REFUSED, str(error))
        if expected is None:
            return Explained(event, None, EVERYWHERE, "it shows in so many channels that too few are left to go by")
        return Explained(retold(rule, event, self._seen(oddest, one, expected), onsets), expected)

    def events(self, series: TimeSeries, rule: DecideConfig | None = None) -> list[Explained]:
        """The events of a series at the alarm budget, as `Detector.events` finds them, explained."""
        rule = self.detector.decide_rule(rule or DecideConfig())
        last: dict[str, tuple[Event, Verdict, Onsets]] = {}

        def remember(event: Event, oddest: Verdict, onsets: Onsets) -> Event:
            last[event.id] = (event, oddest, onsets)
            return event

        events = decide_all(rule, self.detector.verdicts(series), remember)
        return [self.explain(rule, *last[event.id], series) for event in events]

    def _expected(self, event: Event, oddest: Verdict, one: TimeSeries, calm: float) -> Expected | None:
        """What was imputed of as few channels as it takes, and of the others that the event names, as many as there is
        room for; None where half of all channels, or MOST_HIDDEN, are not enough."""
        most = min(int(self.detector.parts.measured.sum()) // 2, MOST_HIDDEN)
        leads = [self.detector.channels.index(name) for name in event.channels]
        end = int(np.searchsorted(one.times, oddest.time_s)) + 1
        near = one[max(0, end - self.rows) : end]  # whether it is calm takes only these
        hidden = leads[:1]
        while len(hidden) <= most:
            expected = self._impute(event, hidden, near)
            values = near.values.copy()
            values[len(near) - len(expected.times) :, hidden] = expected.middle
            window = self._window(near, values, oddest)
            assert window is not None  # noqa: S101 it was there before
            seen = self.detector.examine_windows(window)
            if seen.surprise[0] < calm:
                others = [channel for channel in leads if channel not in hidden][: most - len(hidden)]
                done = not others and len(near) == len(one)
                return expected if done else self._impute(event, [*hidden, *others], one)
            share = seen.contribution[0].copy()
            share[hidden] = -1.0
            hidden = [*hidden, int(share.argmax())]
        return None

    def _window(self, one: TimeSeries, values: Floats, oddest: Verdict) -> NDArray[np.float32] | None:
        """The scaled window (1, C, L) of these values that ends with the oddest verdict; None where it is not whole."""
        at = int(np.searchsorted(one.times, oddest.time_s))
        starts, rule = segment_starts(one.times, self.detector.rule), self.detector.rule
        known = oddest.channels == self.detector.channels and at < len(one) and one.times[at] == oddest.time_s
        if not known or at - starts[at] + 1 < rule.window:
            return None
        window: NDArray[np.float32] = gather_windows(
            hold_missing(self.detector.scale(values), starts, rule), np.array([at]), rule.window
        )
        return window

    def _impute(self, event: Event, hidden: list[int], one: TimeSeries) -> Expected:
        """The hidden channels from before the first onset until the end."""
        channels = tuple(self.detector.channels[i] for i in hidden)
        since_s = min([event.start_s, *(onset_s for name, onset_s in event.onsets if name in channels)])
        first = max(0, int(np.searchsorted(one.times, since_s)) - self.detector.rule.window // EARLIER)
        begin = max(0, first - self._context)
        values = one.values[begin:].copy()
        values[first - begin :, hidden] = np.nan
        found = self.synthesizer.impute(replace(one[begin:], values=values), draws=DRAWS)
        times = one.times[first:]
        rows = np.searchsorted(found.series.times, times)
        columns = [found.series.channels.index(name) for name in channels]

        def told(table: Floats) -> Floats:
            return table[rows][:, columns]

        return Expected(
            event.device, event.site, times, channels, told(found.series.values), told(found.low), told(found.high)
        )

    def _seen(self, oddest: Verdict, one: TimeSeries, expected: Expected) -> Verdict:
        """The oddest verdict, with the row of its newest ones in which a channel is furthest from what was imputed."""
        odd = (oddest.values if oddest.odd is None else oddest.odd).copy()
        meant = (oddest.expected if oddest.odd_expected is None else oddest.odd_expected).copy()
        at = int(np.searchsorted(expected.times, oddest.time_s))
        rows = slice(max(0, at + 1 - newest_span(self.detector.rule.window)), at + 1)
        newest = one[len(one) - len(expected.times) :][rows]
        for column, name in enumerate(expected.channels):
            channel = self.detector.channels.index(name)
            observed, middle = newest.values[:, channel], expected.middle[rows, column]
            off = np.abs(observed - middle)
            row = -1 if np.isnan(off).all() else int(np.nanargmax(off))
            odd[channel], meant[channel] = observed[row], middle[row]
        return replace(oddest, odd=odd, odd_expected=meant)


def _misfits(detector: Detector, synthesizer: Synthesizer) -> Iterator[str]:
    """What keeps a synthesizer from speaking of a detector's channels."""
    makes, knows = synthesizer.channels, detector.channels
    judged = [name for name, measured in zip(knows, detector.parts.measured, strict=True) if measured]
    if lacking := [name for name in judged if name not in makes]:
        yield f"it does not make {', '.join(lacking)}, which the detector judges"
    if strange := [name for name in makes if name not in knows]:
        yield f"it makes {', '.join(strange)}, which the detector does not know"
    columns = [one.name for one in synthesizer.parts.conditions if one.name not in (HOUR, WEEKDAY, DEVICE)]
    if strange := [name for name in columns if name not in knows]:
        yield f"it is conditioned on {', '.join(strange)}, which the detector does not know"
    units = dict(zip(knows, detector.units, strict=True))
    for name, unit in zip(makes, synthesizer.units, strict=True):
        if unit and units.get(name) and unit != units[name]:
            yield f"channel {name!r} is in {unit}, and in {units[name]} for the detector"
    if abs(synthesizer.period_s - detector.period_s) > UNLIKE * detector.period_s:
        yield f"it learned readings every {synthesizer.period_s:g} s, the detector every {detector.period_s:g} s"
