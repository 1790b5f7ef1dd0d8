"""Deliveries: what comes twice, out of order, late, from a wrong clock or not at all is told once, by what it is."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_cases import (
    START_S,
    Arrival,
    Delivery,
    batched,
    clock,
    held_up,
    in_order,
    listen,
    lost,
    outage,
    prompt,
    twice,
)

from anomgan.quality import FleetQuality, Limits, QualityConfig, learn_limits
from anomgan.quality.arrival import RECENT, SAMPLES
from anomgan.quality.delivery import DeliveryHealth
from anomgan.records import Reading, TimeSeries

ROWS = 600
PERIOD_S = 5.0
MIDDLE_S = START_S + ROWS * PERIOD_S / 2


def series(seed: int = 0, rows: int = ROWS) -> TimeSeries:
    rng = np.random.default_rng(seed)
    values = np.round(20.0 + rng.normal(size=(rows, 2)), 3)
    return TimeSeries(START_S + PERIOD_S * np.arange(rows), values, ("a", "b"))


@pytest.fixture(scope="module")
def limits() -> Limits:
    return learn_limits(series(99, 2000))


def delivery(seed: int = 0) -> Delivery:
    return prompt(series(seed), np.random.default_rng(seed))


def test_prompt_readings_pass_as_the_same_objects(limits: Limits) -> None:
    sent = delivery()
    heard = listen(FleetQuality(limits), sent)
    assert [id(reading) for reading in heard.fed] == [id(one.reading) for one in sent]
    assert heard.issues == []


Change = Callable[[Delivery, np.random.Generator], Delivery]
ONE_ISSUE: dict[str, tuple[str, Change]] = {
    "every reading twice": ("duplicate", lambda d, rng: twice(d, 1.0, rng)),
    "half of them overtaken": ("out_of_order", lambda d, rng: held_up(d[:-5], 0.5, 2.5 * PERIOD_S, rng)),
    "a third of them late": ("late", lambda d, rng: held_up(d, 0.35, 200.0, rng)[:-40]),
    "a clock that is ahead": ("clock_skew", lambda d, rng: clock(d, lambda t: 600.0)),
    "a clock that is behind": ("clock_skew", lambda d, rng: clock(d, lambda t: -600.0)),
    "a clock set back": ("clock_skew", lambda d, rng: clock(d, lambda t: -400.0 * (t > MIDDLE_S))),
    "a clock set ahead": ("clock_skew", lambda d, rng: clock(d, lambda t: 400.0 * (t > MIDDLE_S))),
    "a clock that gains 2 %": ("clock_skew", lambda d, rng: clock(d, lambda t: 0.02 * (t - START_S))),
}


@pytest.mark.parametrize("name", ONE_ISSUE)
@pytest.mark.parametrize("seed", range(3))
def test_each_trouble_is_told_once_and_as_what_it_is(limits: Limits, name: str, seed: int) -> None:
    kind, change = ONE_ISSUE[name]
    quality = FleetQuality(limits)
    sent = change(delivery(seed), np.random.default_rng(seed))
    heard = listen(quality, sent)
    assert heard.opened() == {kind: 1}
    assert len(heard.fed) + sum(n for key, n in quality.counters.items() if key.startswith("dropped.")) == len(sent)
    times = [reading.time_s for reading in heard.fed]
    assert times == sorted(set(times))


HARMLESS: dict[str, Change] = {
    "messages of fifty readings": lambda d, rng: batched(d, 50),
    "a redelivery after a reconnect": lambda d, rng: in_order(
        [*d, *(Arrival(d[400].at_s + 1.0, one.reading) for one in d[400 - RECENT + 1 : 401])]
    ),
    "one in fifty twice": lambda d, rng: twice(d, 0.02, rng),
    "one in fifty overtaken": lambda d, rng: held_up(d, 0.02, 2.5 * PERIOD_S, rng),
    "one wrong time from the future": lambda d, rng: clock(d, lambda t: 3600.0 * (abs(t - MIDDLE_S) < 1.0)),
    "a latency of ten seconds": lambda d, rng: [Arrival(one.at_s + 10.0, one.reading) for one in d],
    "a few readings lost": lambda d, rng: lost(d, MIDDLE_S, MIDDLE_S + 6 * PERIOD_S),
    "a clock 20 s off": lambda d, rng: clock(d, lambda t: -20.0),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_happens_on_every_network_is_counted_and_not_told(limits: Limits, name: str) -> None:
    quality = FleetQuality(limits)
    sent = HARMLESS[name](delivery(), np.random.default_rng(0))
    heard = listen(quality, sent)
    assert heard.issues == []
    refused = sum(n for key, n in quality.counters.items() if key.startswith("dropped."))
    assert len(heard.fed) == len(sent) - refused >= len({one.reading.time_s for one in sent}) - 0.03 * len(sent)


def test_a_redelivery_is_dropped_and_counted_as_duplicate(limits: Limits) -> None:
    quality = FleetQuality(limits)
    sent = HARMLESS["a redelivery after a reconnect"](delivery(), np.random.default_rng(0))
    assert len(listen(quality, sent).fed) == ROWS
    assert quality.counters == {"dropped.duplicate": RECENT}


def test_one_reading_from_the_future_does_not_silence_those_that_follow(limits: Limits) -> None:
    quality = FleetQuality(limits)
    sent = HARMLESS["one wrong time from the future"](delivery(), np.random.default_rng(0))
    assert len(listen(quality, sent).fed) == ROWS - 1
    assert quality.counters == {"dropped.clock_ahead": 1}


def test_a_clock_that_is_ahead_for_good_is_believed_after_some_readings(limits: Limits) -> None:
    quality = FleetQuality(limits)
    heard = listen(quality, clock(delivery(), lambda t: 600.0))
    assert len(heard.fed) == ROWS - SAMPLES
    assert heard.issues[0].reason == "its clock is 600 s ahead"
    (now,) = quality.health(START_S)
    assert now.skew_s == pytest.approx(-600.0, abs=0.5)
    assert now.ahead == SAMPLES


def test_a_clock_set_right_is_told(limits: Limits) -> None:
    heard = listen(FleetQuality(limits), clock(delivery(), lambda t: -600.0 * (t < MIDDLE_S)))
    assert [(issue.kind, issue.state) for issue in heard.issues] == [("clock_skew", "open"), ("clock_skew", "closed")]
    assert heard.issues[0].id == heard.issues[1].id
    assert len(heard.fed) == ROWS - SAMPLES  # seen from the wrong clock, the right one is ahead


# ---------------------------------------------------------------- outages


@pytest.mark.parametrize("per_s", [np.inf, 20.0])
def test_an_outage_is_a_silence_then_a_buffered_burst_and_loses_nothing(limits: Limits, per_s: float) -> None:
    sent = outage(delivery(), MIDDLE_S, MIDDLE_S + 1000.0, per_s)
    heard = listen(FleetQuality(limits), sent)
    assert [(issue.kind, issue.state) for issue in heard.issues] == [
        ("silent", "open"),
        ("silent", "closed"),
        ("buffered_burst", "open"),
        ("buffered_burst", "closed"),
    ]
    assert len(heard.fed) == ROWS
    silent, _, _, burst = heard.issues
    assert silent.start_s == pytest.approx(MIDDLE_S, abs=2 * PERIOD_S)
    assert burst.start_s == pytest.approx(MIDDLE_S, abs=2 * PERIOD_S)
    assert burst.end_s == pytest.approx(MIDDLE_S + 940.0, abs=2 * PERIOD_S)  # the last minute's are not late
    assert "came at once" in burst.reason


def test_a_device_that_dies_is_silent_and_told_once(limits: Limits) -> None:
    heard = listen(FleetQuality(limits), delivery()[:300], until_s=START_S + 86_400.0)
    assert [(issue.kind, issue.state) for issue in heard.issues] == [("silent", "open")]


def test_while_we_do_not_listen_nobody_is_silent_and_nothing_is_late(limits: Limits) -> None:
    """The broker kept what came while we were away; its delays are ours."""
    quality, sent = FleetQuality(limits), delivery()
    before, after = sent[:300], sent[300:]
    issues = listen(quality, before).issues
    back_s = before[-1].at_s + 3600.0
    assert quality.silent(back_s, listening_since_s=back_s) == []
    screened = quality.screen([one.reading for one in after], [back_s + 1.0] * len(after), catching_up=True)
    assert len(screened.readings) == len(after)
    assert issues == screened.issues == []
    assert quality.silent(back_s + 3600.0, listening_since_s=back_s) != []


def test_a_device_that_sends_a_hundred_readings_at_a_time_is_silent_after_some_messages(limits: Limits) -> None:
    sent = batched(delivery(), 100)
    quality = FleetQuality(limits)
    assert listen(quality, sent).issues == []
    assert quality.silent(sent[-1].at_s + 2.5 * 100 * PERIOD_S) == []
    assert [issue.kind for issue in quality.silent(sent[-1].at_s + 3.5 * 100 * PERIOD_S)] == ["silent"]


def test_a_device_that_speaks_rarely_is_told_a_few_times_only(limits: Limits) -> None:
    rare = [one for i, one in enumerate(delivery()) if i % 40 == 0]  # every 200 s, where 60 s is silent
    heard = listen(FleetQuality(limits), rare)
    assert 1 <= heard.opened()["silent"] <= 3


def test_how_long_silence_takes_follows_the_configuration(limits: Limits) -> None:
    for after_s in (10.0, 500.0):
        quality = FleetQuality(limits, QualityConfig(silent_after_s=after_s))
        last_s = listen(quality, delivery()[:50]).fed[-1].time_s
        assert quality.silent(last_s + after_s - 1.0) == []
        assert len(quality.silent(last_s + after_s + 1.0)) == 1


# ---------------------------------------------------------------- laws


def test_one_device_s_trouble_is_not_another_s(limits: Limits) -> None:
    good = prompt(series(1), np.random.default_rng(1), "good")
    bad = twice(clock(delivery(2), lambda t: 600.0 * (t > MIDDLE_S)), 1.0, np.random.default_rng(2))
    heard = listen(FleetQuality(limits), in_order([*good, *bad]))
    assert {issue.device for issue in heard.issues} == {"pump"}
    assert [reading for reading in heard.fed if reading.device == "good"] == [one.reading for one in good]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.data())
def test_readings_one_by_one_and_in_batches_of_any_size_are_the_same(
    limits: Limits, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    sent: Delivery = []
    for device in range(3):
        change = [*(change for _, change in ONE_ISSUE.values()), *HARMLESS.values()][int(rng.integers(16))]
        sent += change(prompt(series(seed + device), rng, f"d{device}"), rng)
    sent = [one for one in in_order(sent) if abs(one.at_s - MIDDLE_S) < 600.0]
    numbers = np.array([int(one.reading.device[1]) for one in sent])
    times = np.array([one.reading.time_s for one in sent])
    came = np.array([one.at_s for one in sent])
    message = np.flatnonzero(np.append(True, (came[1:] != came[:-1]) | (numbers[1:] != numbers[:-1]))).tolist()
    cuts = sorted({0, *data.draw(st.lists(st.sampled_from(message), max_size=20))})
    results = []
    for edges in ([*message, len(sent)], [*cuts, len(sent)]):
        health = DeliveryHealth(limits, QualityConfig())
        health.reserve(3)
        fates, changes = [], []
        for a, b in zip(edges, edges[1:], strict=False):  # noqa: RUF007 pairs of edges
            part, told = health.push(numbers[a:b], times[a:b], came[a:b])
            fates += part.tolist()
            changes += told
        results.append((fates, sorted(changes, key=repr)))
    assert results[0][0] == results[1][0]
    assert repr(results[0][1]) == repr(results[1][1])


def test_a_time_that_is_no_number_is_refused(limits: Limits) -> None:
    quality = FleetQuality(limits)
    bad = [Reading("d", time_s, {"a": 1.0, "b": 2.0}) for time_s in (np.nan, np.inf, -np.inf, 1e300)]
    assert quality.screen(bad, [START_S] * 4).readings == []
    assert quality.counters == {"dropped.bad_time": 4}
    fine = Reading("d", START_S, {"a": 1.0, "b": 2.0})
    assert quality.screen([fine], [START_S]).readings == [fine]


@pytest.mark.parametrize("speed", [0.1, 1.2, 60.0])
def test_a_replay_is_judged_by_its_own_times_only(limits: Limits, speed: float) -> None:
    replayed = [Arrival(START_S + 1e8 + (one.at_s - START_S) / speed, one.reading) for one in delivery()]
    quality = FleetQuality(limits, QualityConfig(judge_clocks=False))
    heard = listen(quality, twice(replayed, 0.02, np.random.default_rng(0)))
    assert len(heard.fed) == ROWS
    assert heard.issues == []
    assert quality.silent(replayed[-1].at_s + 1000.0) != []


def test_a_device_that_sleeps_at_night_is_told_once_and_its_death_by_day_soon(limits: Limits) -> None:
    day_s, rng = 86_400.0, np.random.default_rng(5)
    times = START_S + 60.0 * np.arange(5 * 1440)
    slow = learn_limits(TimeSeries(times, rng.normal(size=(len(times), 1)).round(3), ("x",)))
    later = TimeSeries(times + 5 * day_s, rng.normal(size=(len(times), 1)).round(3), ("x",))
    dies_s = START_S + 9.6 * day_s
    delivery = [one for one in prompt(later, rng) if one.at_s % day_s < 16 * 3600.0 and one.at_s < dies_s]
    heard = listen(FleetQuality(slow), delivery, turn_s=120.0, until_s=dies_s + 3600.0)
    opened = [issue for issue in heard.issues if issue.state == "open"]
    assert [issue.kind for issue in opened] == ["silent", "silent"]
    assert opened[1].start_s == pytest.approx(dies_s, abs=120.0)


def test_a_slow_device_whose_clock_is_ahead_is_believed_after_three_readings() -> None:
    times = START_S + 900.0 * np.arange(300)
    values = np.random.default_rng(6).normal(size=(300, 1)).round(3)
    slow = TimeSeries(times, values, ("x",))
    quality = FleetQuality(learn_limits(slow))
    heard = listen(quality, clock(prompt(slow[:20], np.random.default_rng(7)), lambda t: 120.0), turn_s=300.0)
    assert quality.counters["dropped.clock_ahead"] == 3
    assert [issue.kind for issue in heard.issues] == ["clock_skew"]
    assert len(heard.fed) == 17


def test_a_replay_of_long_ago_at_many_times_life_is_no_burst(limits: Limits) -> None:
    replayed = [one._replace(at_s=START_S + 1e8 + 0.1 * row) for row, one in enumerate(delivery())]
    assert "buffered_burst" not in listen(FleetQuality(limits), replayed).opened()
