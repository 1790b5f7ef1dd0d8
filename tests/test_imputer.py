"""What an event should have looked like: imputed from what is not to blame, and only where that can be done."""

from dataclasses import replace

import numpy as np
import pytest
from imputer_cases import BEGINS, CHANNELS, ENDS, WINDOW, healthy, judge, maker, plant, with_fault

from anomgan.config import DecideConfig, DetectorConfig, SynthesizerConfig
from anomgan.decide import decide_all
from anomgan.detector import Detector
from anomgan.errors import ModelFileError
from anomgan.explain import Onsets
from anomgan.imputer import EVERYWHERE, REFUSED, TOO_FEW_ROWS, Explained, Imputer
from anomgan.records import Event, TimeSeries, Verdict
from anomgan.synthesis.synthesizer import Synthesizer

__all__ = ["healthy", "judge", "maker"]  # fixtures
CONDITIONED = SynthesizerConfig(
    window=WINDOW, width=12, latent=8, steps=200, batch=32, device="cpu", conditions=("mode", "hour")
)


@pytest.fixture(scope="module")
def imputer(judge: Detector, maker: Synthesizer) -> Imputer:
    return Imputer(judge, maker)


@pytest.fixture(scope="module")
def told(imputer: Imputer, healthy: TimeSeries) -> Explained:
    (one,) = imputer.events(with_fault(healthy, "speed"))
    return one


def stripped(event: Event) -> Event:
    """What imputing must leave alone."""
    return replace(event, observed=(), expected=(), reason="")


def test_the_events_are_the_detector_s_but_for_what_was_expected(
    judge: Detector, healthy: TimeSeries, told: Explained
) -> None:
    (plain,) = judge.events(with_fault(healthy, "speed"))
    assert stripped(told.event) == stripped(plain)
    assert told.event.channels[0] == "speed"
    assert told.event.expected != plain.expected
    assert f"where {told.event.expected[0]:.4g} was expected" in told.event.reason


def test_what_is_imputed_is_nearer_to_the_healthy_run_than_what_the_detector_expects(
    judge: Detector, healthy: TimeSeries, told: Explained
) -> None:
    (plain,) = judge.events(with_fault(healthy, "speed"))
    expected = told.expected
    assert expected is not None
    truth = healthy.values[:, 2]
    rows = np.searchsorted(healthy.times, expected.times)
    off = np.abs(expected.middle[:, 0] - truth[rows])
    assert off.mean() < 0.5  # of which noise makes 0.24, where the fault adds 6
    at = int(np.argmin(np.abs(with_fault(healthy, "speed").values[:, 2] - plain.observed[0])))
    assert off.mean() < abs(plain.expected[0] - truth[at])


def test_the_blamed_channel_is_imputed_from_before_its_onset_until_the_end(told: Explained) -> None:
    expected = told.expected
    assert expected is not None
    assert expected.channels == ("speed", "pressure")  # the other is blamed too, and there is room for it
    assert told.event.channels[:2] == expected.channels
    assert BEGINS - WINDOW < expected.times[0] < BEGINS
    assert expected.times[-1] == told.event.end_s
    assert (expected.low <= expected.middle).all()
    assert (expected.middle <= expected.high).all()
    assert (expected.low < expected.high).any()


def test_what_was_seen_is_the_row_of_the_newest_that_is_furthest_off(healthy: TimeSeries, told: Explained) -> None:
    expected, faulty = told.expected, with_fault(healthy, "speed")
    assert expected is not None
    peak = int(told.event.peak_s)
    rows = np.arange(peak - 1, peak + 1)  # an eighth of the window
    middle = expected.middle[rows - int(expected.times[0]), 0]
    row = int(np.argmax(np.abs(faulty.values[rows, 2] - middle)))
    assert told.event.observed[0] == np.float32(faulty.values[rows[row], 2])
    assert told.event.expected[0] == np.float32(middle[row])


def test_rows_after_the_end_and_columns_besides_change_nothing(
    judge: Detector, imputer: Imputer, healthy: TimeSeries, told: Explained
) -> None:
    faulty = with_fault(healthy, "speed")
    heard: dict[str, tuple[Event, Verdict, Onsets]] = {}
    rule = judge.decide_rule(DecideConfig())

    def remember(event: Event, oddest: Verdict, onsets: Onsets) -> Event:
        heard[event.state] = (event, oddest, onsets)
        return event

    decide_all(rule, judge.verdicts(faulty), remember)
    order = [5, 3, 1, 0, 2, 4]
    shuffled = TimeSeries(faulty.times, faulty.values[:, order], tuple(CHANNELS[i] for i in order), device="pump")
    until = int(told.event.end_s) + 1
    before = shuffled.values.copy()
    for series in (faulty, faulty[:until], shuffled[: until + 3]):
        again = imputer.explain(rule, *heard["closed"], series)
        assert again.event == told.event
        assert again.expected is not None
        assert told.expected is not None
        np.testing.assert_array_equal(again.expected.middle, told.expected.middle)
    np.testing.assert_array_equal(shuffled.values, before)


def test_two_that_lie_are_both_hidden(imputer: Imputer, healthy: TimeSeries) -> None:
    (one,) = imputer.events(with_fault(healthy, "speed", "current"))
    assert one.expected is not None
    assert set(one.expected.channels) == {"speed", "current"}


def test_a_fault_that_shows_everywhere_is_told_as_it_was(
    judge: Detector, imputer: Imputer, healthy: TimeSeries
) -> None:
    faulty = with_fault(healthy, *CHANNELS[:5])
    (one,) = imputer.events(faulty)
    assert (one.kept, one.expected) == (EVERYWHERE, None)
    assert [one.event] == judge.events(faulty)


def test_without_the_rows_of_its_window_an_event_is_told_as_it_was(
    judge: Detector, imputer: Imputer, healthy: TimeSeries, told: Explained
) -> None:
    faulty = with_fault(healthy, "speed")
    rule = judge.decide_rule(DecideConfig())
    verdict = next(one for one in judge.verdicts(faulty) if one.time_s == told.event.peak_s)
    peak = int(told.event.peak_s)
    torn = replace(faulty, times=faulty.times + np.where(np.arange(len(faulty)) >= peak - 3, 1e6, 0.0))
    elsewhere = replace(verdict, channels=tuple(reversed(CHANNELS)))
    cases = [(verdict, faulty[peak - WINDOW + 2 :]), (verdict, faulty[:peak]), (elsewhere, faulty)]
    cases.append((replace(verdict, time_s=verdict.time_s + 1e6), torn))
    for oddest, series in cases:
        event = replace(told.event, peak_s=oddest.time_s, end_s=max(told.event.end_s, oddest.time_s))
        one = imputer.explain(rule, event, oddest, (), series)
        assert (one.kept, one.event) == (TOO_FEW_ROWS, event)


def test_values_that_are_missing_are_imputed_too(imputer: Imputer, healthy: TimeSeries) -> None:
    faulty = with_fault(healthy, "speed")
    holed = faulty.values.copy()
    holed[BEGINS + 4 : ENDS : 7, 2] = np.nan
    (one,) = imputer.events(replace(faulty, values=holed))
    assert one.expected is not None
    assert np.isfinite(one.expected.middle).all()
    assert np.isfinite(one.event.observed[0])


def test_rows_that_are_not_there_are_not_told_of(judge: Detector, imputer: Imputer, healthy: TimeSeries) -> None:
    there = np.delete(np.arange(len(healthy)), [BEGINS - 6, BEGINS + 5, BEGINS + 6, BEGINS + 11])
    faulty = with_fault(healthy, "speed")
    torn = replace(faulty, times=faulty.times[there], values=faulty.values[there])
    one = next(each for each in imputer.events(torn) if each.expected is not None)
    assert one.expected is not None
    rows = np.searchsorted(torn.times, one.expected.times)
    np.testing.assert_array_equal(torn.times[rows], one.expected.times)
    assert (np.diff(rows) == 1).all()
    truth = healthy.values[there][rows, CHANNELS.index("speed")]
    assert np.abs(one.expected.middle[:, one.expected.channels.index("speed")] - truth).mean() < 0.6


def test_conditions_are_read_from_the_rows_and_an_unknown_one_is_refused(judge: Detector, healthy: TimeSeries) -> None:
    two = Imputer(judge, Synthesizer.fit(plant(400, 0), CONDITIONED))
    faulty = with_fault(healthy, "speed")
    (one,) = two.events(faulty)
    assert one.expected is not None
    strange = faulty.values.copy()
    strange[:, 5] = np.where(np.arange(len(strange)) >= BEGINS, 2.0, strange[:, 5])
    several = two.events(replace(faulty, values=strange))
    assert {each.kept for each in several} == {REFUSED}
    assert "condition 'mode': 2 is none of" in several[0].words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channels": ("flow", "speed", "mode")}, "does not make pressure, current, power, which the detector judges"),
        ({"more": ("torque",)}, "makes torque, which the detector does not know"),
        ({"units": {"flow": "l/min"}}, "channel 'flow' is in l/min, and in m3/h for the detector"),
        ({"period_s": 2.0}, "learned readings every 2 s, the detector every 1 s"),
        ({"conditions": ("shift",), "more": ("shift",)}, "conditioned on shift, which the detector does not know"),
    ],
)
def test_a_synthesizer_of_something_else_is_refused_by_name(change: dict[str, object], said: str) -> None:
    small = DetectorConfig(window=16, steps=2, latent=4, width=4, batch=8, device="cpu")
    one = replace(plant(300, 0), units=("m3/h", "", "", "", "", ""))
    other = one
    if "channels" in change:
        kept = [CHANNELS.index(name) for name in change["channels"]]  # type: ignore[attr-defined]
        other = TimeSeries(one.times, one.values[:, kept], change["channels"])  # type: ignore[arg-type]
    if "more" in change:
        values = np.concatenate([one.values, (np.arange(300) % 3)[:, None]], axis=1)
        other = TimeSeries(one.times, values, (*CHANNELS, *change["more"]))  # type: ignore[misc]
    if "units" in change:
        other = replace(one, units=("l/min", "", "", "", "", ""))
    if "period_s" in change:
        other = replace(one, times=one.times * 2.0)
    config = SynthesizerConfig(window=16, steps=2, latent=4, width=4, batch=8, device="cpu")
    conditions = change.get("conditions", ())
    strange = Synthesizer.fit(other, config.model_copy(update={"conditions": conditions}))
    with pytest.raises(ModelFileError, match=f"pump-gan: does not fit the detector: it.*{said}|pump-gan.*{said}"):
        Imputer(Detector.fit(one, small), strange, "pump-gan")
