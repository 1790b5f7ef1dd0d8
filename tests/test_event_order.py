"""In what order channels left normal: from the courses of verdicts to the event, its JSON, and one that goes on."""

import json
from dataclasses import replace

import numpy as np
from alarm_desk import event

from anomgan.alarms.cool_down import continued
from anomgan.config import DecideConfig
from anomgan.decide import FleetDecisions
from anomgan.explain import MOST_ONSETS, NO_ONSET, in_order
from anomgan.motion import MOVES
from anomgan.records import Event, Verdict
from anomgan.wire.event_json import encode_event

NAN = float("nan")
CHANNELS = ("flow", "pressure", "speed")
RULE = DecideConfig(open_after=2, close_after=2, channels=1)


def verdict(time_s: float, surprise: float, *since_s: float) -> Verdict:
    """`since_s`: for how long each channel has been beyond its error, NaN = it is not; none = no channel is."""
    blank = np.zeros(3, np.float32)
    course = np.array([(since, 1.0, 0.0, 2.0, MOVES) for since in since_s], np.float32) if since_s else None
    return Verdict(
        *("p1", "north", time_s, surprise, 4.0, surprise >= 4.0, surprise, surprise, surprise),
        *(CHANNELS, blank, blank + 1.0, np.array([0.7, 0.2, 0.1], np.float32)),
        course=course,
        step_s=1.0,
        band=np.ones((3, 4)),
    )


def test_channels_are_told_in_the_order_in_which_they_went_also_those_that_hardly_contribute() -> None:
    decisions = FleetDecisions(RULE)
    decisions.update([verdict(10.0, 1.0, NAN, NAN, 3.0), verdict(11.0, 5.0, 0.0, NAN, 4.0)])
    (opened,) = decisions.update([verdict(12.0, 6.0, 1.0, NAN, 5.0)])
    assert opened.channels == ("flow",)
    assert opened.onsets == (("speed", 7.0), ("flow", 11.0))


def test_who_goes_later_joins_although_the_peak_was_before() -> None:
    decisions = FleetDecisions(RULE)
    decisions.update([verdict(11.0, 5.0, 0.0, NAN, NAN), verdict(12.0, 9.0, 1.0, NAN, NAN)])
    decisions.update([verdict(15.0, 5.0, 4.0, 1.0, NAN)])
    (standing,) = decisions.open_events()
    assert standing.peak == 9.0
    assert standing.onsets == (("flow", 11.0), ("pressure", 14.0))
    decisions.update([verdict(16.0, 5.0)])  # all are back: the event keeps what it knows
    assert decisions.open_events()[0].onsets == standing.onsets


def test_a_snapshot_keeps_order_and_band() -> None:
    decisions, other = FleetDecisions(RULE), FleetDecisions(RULE)
    decisions.update([verdict(11.0, 5.0, 0.0, NAN, NAN), verdict(12.0, 9.0, 1.0, NAN, NAN)])
    other.restore(decisions.snapshot())
    assert other.snapshot() == decisions.snapshot()
    assert other.open_events() == decisions.open_events()
    assert other.open_events()[0].onsets == (("flow", 11.0),)


def test_onsets_of_another_model_s_channels_are_none() -> None:
    assert in_order(("a", "b"), ((1.0, 0.0, NAN),)) == ()
    assert in_order(("a", "b"), (NO_ONSET, (1.0, 0.0, NAN))) == (("b", 1.0),)


def test_only_so_many_are_told_and_they_are_the_first() -> None:
    names = tuple(f"c{i}" for i in range(40))
    told = in_order(names, tuple((float(-i), 0.0, NAN) for i in range(40)))
    assert [name for name, _ in told] == [f"c{39 - i}" for i in range(MOST_ONSETS)]


def with_onsets(one: Event, *onsets: tuple[str, float]) -> Event:
    return replace(one, onsets=onsets)


def test_an_event_that_goes_on_keeps_when_each_channel_went_first() -> None:
    before = with_onsets(event(), ("flow", 5.0), ("speed", 9.0))
    after = with_onsets(event(start_s=event().start_s + 50.0), ("pressure", 40.0), ("flow", 41.0))
    assert continued(before, after).onsets == (("flow", 5.0), ("speed", 9.0), ("pressure", 40.0))


def test_the_order_is_told_over_mqtt() -> None:
    told = json.loads(encode_event(with_onsets(event(), ("flow", 1_700_000_000.5))))
    assert told["onsets"] == [{"channel": "flow", "since": "2023-11-14T22:13:20.500000Z", "since_s": 1_700_000_000.5}]
