"""Deciding: verdicts become events with hysteresis; the same events as a twin that looks at the whole sequence."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import DecideConfig
from anomgan.decide import (
    CRITICAL_DECADES,
    MAJOR_DECADES,
    QUIET,
    FleetDecisions,
    decide,
    decide_all,
    for_windows,
    is_anomalous,
    severity,
)
from anomgan.errors import DataError
from anomgan.records import Event, Verdict

THRESHOLD = 4.0
NAN = float("nan")


def verdict(surprise: float, time_s: float, device: str = "pump", site: str = "") -> Verdict:
    share = np.array([0.7, 0.3], np.float32)
    return Verdict(
        device=device,
        site=site,
        time_s=time_s,
        surprise=surprise,
        threshold=THRESHOLD,
        anomalous=is_anomalous(surprise, THRESHOLD),
        discriminator=surprise,
        reconstruction=surprise,
        pattern=surprise,
        channels=("flow", "pressure"),
        values=np.array([surprise, 2.0], np.float32),
        expected=np.array([1.0, 2.0], np.float32),
        contribution=share,
        model="model",
        units=("l/min", "bar"),
    )


def verdicts(*surprises: float, device: str = "pump") -> list[Verdict]:
    return [verdict(surprise, float(i), device) for i, surprise in enumerate(surprises)]


def told(rule: DecideConfig, *surprises: float) -> list[tuple[int, str, Event]]:
    """(at which verdict, state, event) of everything that is told."""
    state, heard = QUIET, list[tuple[int, str, Event]]()
    for i, one in enumerate(verdicts(*surprises)):
        state, event = decide(rule, state, one)
        if event is not None:
            heard.append((i, event.state, event))
    return heard


RULE = DecideConfig(open_after=2, close_after=3, close_level=0.5)


def test_an_event_opens_after_so_many_anomalous_verdicts_and_is_back_dated_to_the_first() -> None:
    heard = told(RULE, 0, 5, 0, 5, 5)
    assert [(i, state) for i, state, _ in heard] == [(4, "open")]
    event = heard[0][2]
    assert (event.start_s, event.end_s, event.peak) == (3.0, 4.0, 5.0)


def test_one_verdict_opens_where_one_is_enough() -> None:
    assert [(i, state) for i, state, _ in told(DecideConfig(open_after=1), 5)] == [(0, "open")]


def test_between_the_levels_an_event_neither_opens_nor_closes() -> None:
    """3 lies under the threshold 4 and above the closing level 2."""
    assert told(RULE, 3, 3, 3, 3) == []
    heard = told(RULE, 5, 5, 3, 3, 3, 3, 3, 3)
    assert [(i, state) for i, state, _ in heard] == [(1, "open")]


def test_an_event_closes_after_so_many_calm_verdicts_and_ends_at_its_last_anomalous_one() -> None:
    heard = told(RULE, 5, 5, 1, 1, 3, 1, 1, 1)
    assert [(i, state) for i, state, _ in heard] == [(1, "open"), (7, "closed")]
    assert heard[1][2].end_s == 1.0


def test_runs_nearer_than_the_calm_are_one_event() -> None:
    heard = told(RULE, 5, 5, 1, 1, 5, 1, 1, 1, 5, 5)
    assert [(i, state) for i, state, _ in heard] == [(1, "open"), (7, "closed"), (9, "open")]
    assert heard[1][2].end_s == 4.0
    assert heard[2][2].start_s == 8.0


def test_an_unknown_verdict_never_opens_and_counts_as_calm() -> None:
    assert told(RULE, 5, NAN, 5, NAN, 5) == []
    assert [(i, state) for i, state, _ in told(RULE, 5, 5, NAN, NAN, NAN)] == [(1, "open"), (4, "closed")]


def test_an_event_is_told_again_when_its_severity_rises_and_only_then() -> None:
    heard = told(RULE, 5, 5, 5.5, 6.5, 6.6, 5, 11, 10, 12)
    assert [(i, event.severity) for i, _, event in heard] == [(1, "minor"), (3, "major"), (6, "critical")]
    assert {event.id for _, _, event in heard} == {"pump@0"}


def test_the_peak_is_the_oddest_verdict_and_tells_the_reason() -> None:
    heard = told(RULE, 5, 9, 7, 1, 1, 1)
    closed = heard[-1][2]
    assert (closed.peak, closed.peak_s, closed.observed[0]) == (9.0, 1.0, 9.0)
    assert closed.channels == ("flow", "pressure")
    assert closed.units == ("l/min", "bar")
    assert closed.reason.startswith("flow is 9 l/min where 1 was expected")


def test_of_equal_peaks_the_first_is_told() -> None:
    assert told(RULE, 5, 9, 9, 1, 1, 1)[-1][2].peak_s == 1.0


def test_the_peak_before_opening_counts() -> None:
    assert told(RULE, 9, 5)[0][2].peak == 9.0


@pytest.mark.parametrize(
    ("peak", "word"),
    [
        (THRESHOLD, "minor"),
        (THRESHOLD + MAJOR_DECADES - 1e-9, "minor"),
        (THRESHOLD + MAJOR_DECADES, "major"),
        (THRESHOLD + CRITICAL_DECADES, "critical"),
        (1e300, "critical"),
        (math.inf, "critical"),
    ],
)
def test_severity_is_how_many_decades_the_peak_stands_above_the_threshold(peak: float, word: str) -> None:
    assert severity(peak, THRESHOLD) == word


def test_an_event_closes_after_a_calm_window_where_nothing_else_is_said() -> None:
    assert for_windows(DecideConfig(), 32).close_after == 32
    assert for_windows(DecideConfig(), 0).close_after == 1
    assert for_windows(RULE, 32) == RULE


def test_a_rule_that_is_not_complete_is_refused_before_anything_is_decided() -> None:
    with pytest.raises(ValueError, match="for_windows"):
        FleetDecisions(DecideConfig())
    with pytest.raises(ValueError, match="for_windows"):
        decide_all(DecideConfig(), [])


def test_at_the_threshold_is_anomalous_and_unknown_is_not() -> None:
    assert is_anomalous(4.0, 4.0)
    assert is_anomalous(math.inf, 4.0)
    assert not is_anomalous(3.999, 4.0)
    assert not is_anomalous(NAN, 4.0)


def test_the_identity_of_an_event_is_its_device_and_start() -> None:
    rule = DecideConfig(open_after=1, close_after=1)
    ids = {
        event.id
        for site, device, time_s in [("", "a", 0.0), ("s", "a", 0.0), ("", "b", 0.0), ("", "a", 0.001)]
        for event in FleetDecisions(rule).update([verdict(9.0, time_s, device, site)])
    }
    assert ids == {"a@0", "s/a@0", "b@0", "a@1"}


# ---------------------------------------------------------------- a twin that sees the whole sequence


def naive_events(rule: DecideConfig, surprises: list[float]) -> list[tuple[float, float, float, str]]:
    """(start, end, peak, state) of every event, found by looking at all verdicts at once."""
    odd = [s >= THRESHOLD for s in surprises]
    calm = [not s >= rule.close_level * THRESHOLD for s in surprises]
    events, at = [], 0
    while at < len(surprises):
        opens = at + rule.open_after
        if not (opens <= len(odd) and all(odd[at:opens])):
            at += 1
            continue
        closes = next(
            (
                i
                for i in range(opens, len(odd))
                if i + 1 - rule.close_after >= opens and all(calm[i + 1 - rule.close_after : i + 1])
            ),
            None,
        )
        within = range(at, len(odd) if closes is None else closes + 1)
        events.append(
            (
                float(at),
                float(max(i for i in within if odd[i])),
                max(surprises[i] for i in within if odd[i]),
                "open" if closes is None else "closed",
            )
        )
        if closes is None:
            break
        at = closes + 1
    return events


surprise_lists = st.lists(st.sampled_from([NAN, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0]), max_size=40)
rules = st.builds(
    DecideConfig,
    open_after=st.integers(1, 4),
    close_after=st.integers(1, 4),
    close_level=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
)


@given(rule=rules, surprises=surprise_lists)
def test_the_events_are_those_of_the_naive_twin(rule: DecideConfig, surprises: list[float]) -> None:
    events = decide_all(rule, verdicts(*surprises))
    assert [(e.start_s, e.end_s, e.peak, e.state) for e in events] == naive_events(rule, surprises)


@given(rule=rules, surprises=surprise_lists)
def test_what_is_told_of_an_event_is_consistent(rule: DecideConfig, surprises: list[float]) -> None:
    """Opened once, closed at most once and last; severity and peak never fall; never two open at once."""
    rank = ["minor", "major", "critical"]
    by_id: dict[str, list[Event]] = {}
    for _, _, event in told(rule, *surprises):
        by_id.setdefault(event.id, []).append(event)
    for history in by_id.values():
        assert [event.state for event in history[:-1]] == ["open"] * (len(history) - 1)
        assert [rank.index(event.severity) for event in history] == sorted(rank.index(e.severity) for e in history)
        assert len({event.start_s for event in history}) == 1
        for before, after in pairwise(history):
            assert after.peak >= before.peak
            assert after.end_s >= before.end_s
    assert sum(history[-1].state == "open" for history in by_id.values()) <= 1


@given(rule=rules, a=surprise_lists, b=surprise_lists)
def test_devices_do_not_touch_each_other(rule: DecideConfig, a: list[float], b: list[float]) -> None:
    mixed = [v for pair in zip(verdicts(*a, device="a"), verdicts(*b, device="b"), strict=False) for v in pair]
    fleet = FleetDecisions(rule)
    together = fleet.update(mixed)
    for device, surprises in (("a", a), ("b", b)):
        alone = FleetDecisions(rule).update(verdicts(*surprises, device=device)[: min(len(a), len(b))])
        assert [e for e in together if e.device == device] == alone


@given(rule=rules, surprises=surprise_lists, cut=st.integers(0, 40))
def test_how_verdicts_are_batched_does_not_matter(rule: DecideConfig, surprises: list[float], cut: int) -> None:
    whole, parts = FleetDecisions(rule), FleetDecisions(rule)
    every = verdicts(*surprises)
    assert whole.update(every) == parts.update(every[:cut]) + parts.update(every[cut:])
    assert whole.open_events() == parts.open_events()


def as_told(events: Iterable[Event]) -> list[str]:
    """Events as text, in which NaN is NaN."""
    return [repr(event) for event in events]


@given(rule=rules, surprises=surprise_lists, cut=st.integers(0, 40))
def test_restored_it_goes_on_as_if_nothing_had_happened(rule: DecideConfig, surprises: list[float], cut: int) -> None:
    several = [
        replace(
            one,
            values=np.array([NAN, 1.0], np.float32),
            odd=np.array([0.1, NAN], np.float32),
            course=np.array([[i % 3, 0.5, 0.1, 9.0, i % 2], [NAN] * 5], np.float32) if i % 4 else None,
            device=device,
        )
        for device in ("pump", "fan")
        for i, one in enumerate(verdicts(*surprises))
    ]
    before, after = several[:cut], several[cut:]
    steady, first, second = FleetDecisions(rule), FleetDecisions(rule), FleetDecisions(rule)
    steady.update(before)
    first.update(before)
    second.restore(first.snapshot())
    assert as_told(second.open_events()) == as_told(steady.open_events())
    assert as_told(second.update(after)) == as_told(steady.update(after))
    assert as_told(second.open_events()) == as_told(steady.open_events())


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"version": 4, "states": []}',
        b'{"version": 1, "states": 3}',
        b'{"version": 1, "states": [["", "a"]]}',
        b'{"version": 1, "states": [["", "a", {"streak": 1}]]}',
        b'{"version": 1, "states": [["", "a", {"strange": 1, "oddest": null, "event": null}]]}',
        b'{"version": 1, "states": [["", "a", {"oddest": {"surprise": 1}, "event": null}]]}',
        b'{"version": 1, "states": ["1e5"]}',
        b'{"version": 1, "states": [[5, "a", {"oddest": null, "event": null}]]}',
        b'{"version": 1, "states": [["", "a", {"streak": "1", "oddest": null, "event": null}]]}',
        b'{"version": 1, "states": [["", "a", {"streak": 1e300, "oddest": null, "event": null}]]}',
        b'{"version": 1, "states": [["", "a", {"oddest": null, "event": ' + b"[" * 500 + b"]" * 500 + b"}]]}",
    ],
)
def test_what_is_no_snapshot_is_refused_and_changes_nothing(damaged: bytes) -> None:
    decisions = FleetDecisions(DecideConfig(open_after=1, close_after=2))
    decisions.update(verdicts(9.0))
    before = decisions.snapshot()
    with pytest.raises(DataError, match="snapshot of decisions"):
        decisions.restore(damaged)
    assert decisions.snapshot() == before


@pytest.mark.parametrize(
    "field", ["values", "contribution", "channels", "surprise", "severity", "observed", "anomalous"]
)
@pytest.mark.parametrize("value", ["x", 5, [1.0], [[1.0, 2.0]], {"a": 1}, [None, "y"]])
def test_a_field_of_another_type_or_length_is_refused(field: str, value: object) -> None:
    decisions = FleetDecisions(DecideConfig(open_after=1, close_after=2))
    decisions.update(verdicts(9.0))
    document = orjson.loads(decisions.snapshot())
    state = document["states"][0][2]
    record = state["oddest"] if field in state["oddest"] else state["event"]
    if field == "surprise" and value == 5:
        return  # a number it is
    record[field] = value
    with pytest.raises(DataError, match="snapshot of decisions"):
        FleetDecisions(DecideConfig(close_after=2)).restore(orjson.dumps(document))


def test_a_snapshot_of_the_first_version_which_knew_no_courses_is_restored() -> None:
    decisions = FleetDecisions(RULE)
    decisions.update(verdicts(5, 9))
    document = json.loads(decisions.snapshot())
    (state,) = document["states"]
    del state[2]["onsets"], state[2]["oddest"]["course"], state[2]["oddest"]["step_s"]
    restored = FleetDecisions(RULE)
    restored.restore(json.dumps(document | {"version": 1}).encode())
    more = [verdict(surprise, 10.0 + i) for i, surprise in enumerate((12, 1, 1, 1))]
    assert as_told(restored.update(more)) == as_told(decisions.update(more))


def test_open_events_stand_as_they_are_now() -> None:
    fleet = FleetDecisions(RULE)
    fleet.update(verdicts(5, 5, 5.5))
    (event,) = fleet.open_events()
    assert (event.end_s, event.peak) == (2.0, 5.5)


def test_the_oddest_rows_are_shown_where_they_are_known() -> None:
    one = replace(
        verdict(9.0, 0.0), odd=np.array([50.0, 2.0], np.float32), odd_expected=np.array([7.0, 2.0], np.float32)
    )
    (event,) = FleetDecisions(DecideConfig(open_after=1, close_after=1)).update([one])
    assert (event.observed, event.expected) == ((50.0, 2.0), (7.0, 2.0))


@pytest.mark.parametrize(("least_s", "opens_at"), [(0.0, 2), (1.0, 2), (2.0, 3), (2.5, 4)])
def test_an_event_opens_when_its_verdicts_are_many_and_long_enough(least_s: float, opens_at: int) -> None:
    rule = DecideConfig(open_after=2, open_after_s=least_s, close_after=2)
    assert [at for at, *_ in told(rule, 0.0, 9.0, 9.0, 9.0, 9.0)] == [opens_at]
    assert told(rule, *([9.0, 0.0] * 5)) == []


def test_with_another_model_s_channels_an_open_event_goes_on() -> None:
    """As when a model with more channels takes over, or one with fewer."""
    fleet = FleetDecisions(RULE)
    course = np.array([[1.0, 0.5, 0.1, 9.0, 1.0]] * 2, np.float32)
    fleet.update(replace(one, course=course) for one in verdicts(5, 5, 5))
    more = [
        replace(
            one,
            channels=("a", "b", "c"),
            units=(),
            values=np.ones(3, np.float32),
            expected=np.ones(3, np.float32),
            contribution=np.full(3, 1 / 3, np.float32),
            course=np.ones((3, 5), np.float32),
        )
        for one in (verdict(5.0, 4.0), verdict(9.0, 5.0), verdict(4.5, 6.0))
    ]
    assert [event.state for event in fleet.update(more)] == ["open"]
    (event,) = fleet.open_events()
    assert event.channels[0] in ("a", "b", "c")
    fleet.update([replace(verdict(12.0, 7.0), course=course)])
    assert fleet.open_events()[0].channels[0] in ("flow", "pressure")
