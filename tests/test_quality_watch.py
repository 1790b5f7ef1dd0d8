"""A watch over data quality in turns: absences are ours and not the devices', and a turn can be made again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_cases import START_S

from anomgan.config import QualityConfig
from anomgan.errors import DataError
from anomgan.quality import Limits, QualityWatch, learn_limits
from anomgan.quality.watch import AWAY_S, REPORTS_A_TURN, Watched
from anomgan.records import HealthIssue, Reading, TimeSeries

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def limits() -> Limits:
    flow = RNG.normal(20.0, 1.0, 2000).round(2)
    leak = np.zeros(2000)
    mode = np.repeat([0.0, 1.0, 3.0, 1.0], 500)
    times = START_S - 1e6 + np.arange(2000.0)
    return learn_limits(TimeSeries(times, np.column_stack([flow, leak, mode]), ("flow", "leak", "mode")))


def reading(time_s: float, device: str = "p1", **changes: float) -> Reading:
    flow = round(float(np.random.default_rng(round(time_s * 10) % 2**32).normal(20.0, 1.0)), 2)
    return Reading(device, time_s, {"flow": flow, "leak": 0.0, "mode": 1.0, **changes})


def run(watch: QualityWatch, from_s: float, seconds: int, **changes: float) -> list[HealthIssue]:
    """A reading every second; the issues."""
    return [
        issue
        for second in range(seconds)
        for issue in watch.turn([reading(from_s + second, **changes)], from_s + second + 0.2).issues
    ]


def kinds(issues: list[HealthIssue]) -> list[tuple[str, str]]:
    return [(issue.kind, issue.state) for issue in issues]


def test_silence_is_told_in_turns_without_readings(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig())
    assert run(watch, START_S, 60) == []
    idle = [watch.turn([], START_S + 60.0 + 5.0 * turn) for turn in range(15)]
    (told,) = [issue for turn in idle for issue in turn.issues]
    assert (told.kind, told.state, told.device) == ("silent", "open", "p1")
    (news,) = [health for turn in idle for health in turn.news]
    assert news.issues == (told,)
    assert kinds(run(watch, START_S + 135.0, 1)) == [("silent", "closed")]


@pytest.mark.parametrize("away_s", [AWAY_S + 1.0, 3600.0, 86_400.0, -600.0])
def test_nobody_was_silent_or_late_while_we_were_away_and_what_waited_is_taken(limits: Limits, away_s: float) -> None:
    watch = QualityWatch(limits, QualityConfig())
    assert run(watch, START_S, 200) == []
    back_s = START_S + 200.0 + away_s
    made = [reading(START_S + 200.0 + second) for second in range(int(max(away_s, 0.0)))][-2000:]
    for start in range(0, len(made), 500):  # the broker hands over what it kept, and something twice
        turn = watch.turn([*made[start : start + 500], *made[start : start + 100]], back_s + 0.01 * start / 500)
        assert turn.issues == []
        assert len(turn.readings) == len(made[start : start + 500])
    assert watch.turn([], back_s + 15.0).issues == []
    assert run(watch, max(back_s, START_S + 200.0) + 15.0, 30) == []


def test_a_wrong_clock_is_told_also_after_an_absence_but_not_by_what_waited(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig(late_s=60.0, skew_s=30.0))
    told: list[tuple[float, str]] = []
    for second in range(300):
        now_s = START_S + second
        told += [(now_s, issue.kind) for issue in watch.turn([reading(now_s - 200.0)], now_s).issues]
    ((at_s, kind),) = told
    assert kind == "clock_skew"
    assert at_s >= START_S + 60.0


def test_a_state_that_training_never_saw_is_told_and_passes(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig())
    assert run(watch, START_S, 50) == []
    turn = watch.turn([reading(START_S + 50.0, leak=1.0)], START_S + 50.2)
    (told,) = turn.issues
    assert (told.kind, told.channel) == ("new_state", "leak")
    assert told.reason == "leak is 1, a state that training never saw, only 0"
    assert turn.readings[0].values["leak"] == 1.0
    assert turn.news[0].new_state == 1
    assert kinds(run(watch, START_S + 51.0, 40)) == [("new_state", "closed")]
    (again,) = run(watch, START_S + 91.0, 1, mode=2.0)
    assert again.reason == "mode is 2, a state that training never saw, only 0, 1, 3"


def test_a_new_state_that_keeps_coming_back_stays_open_instead_of_being_told_each_time(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig())
    told = []
    for round_ in range(100):
        told += run(watch, START_S + 50.0 * round_, 1, leak=1.0)
        told += run(watch, START_S + 50.0 * round_ + 1.0, 49)
    assert 1 <= len([issue for issue in told if issue.state == "open"]) <= 3


def test_a_channel_that_only_had_not_moved_in_training_is_no_state(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig())
    assert run(watch, START_S, 1, leak=0.37) == []
    assert run(watch, START_S + 1.0, 5, leak=1.0) == []


def test_what_is_left_alone_is_judged_by_a_given_range_only(limits: Limits) -> None:
    config = QualityConfig(leave_alone=("flow", "leak", "mode"), ranges={"flow": (0.0, 100.0)})
    watch = QualityWatch(limits, config)
    assert run(watch, START_S, 600, flow=20.0, leak=1.0) == []
    assert kinds(run(watch, START_S + 600.0, 1, flow=101.0)) == [("out_of_range", "open")]


def test_every_device_is_reported_when_new_and_then_now_and_then_not_all_at_once(limits: Limits) -> None:
    watch = QualityWatch(limits, QualityConfig(report_s=100.0))
    devices = [f"p{number}" for number in range(500)]
    turns: list[Watched] = []
    for second in range(0, 400, 5):
        now_s = START_S + second
        turns.append(watch.turn([reading(now_s, device) for device in devices], now_s))
    assert sum(len(turn.news) for turn in turns) == 500
    assert all(len(turn.news) + len(turn.standing) <= REPORTS_A_TURN for turn in turns)
    reports = [health.device for turn in turns for health in turn.standing]
    assert set(reports) == set(devices)
    assert max(len(turn.standing) for turn in turns) < 100
    assert 3.0 <= len(reports) / 500 <= 4.0


@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 0.9))
@settings(max_examples=15, deadline=None)
def test_turns_made_again_after_a_snapshot_give_the_same(limits: Limits, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    now_s, turns = START_S, []
    for _ in range(120):
        now_s += float(rng.choice([1.0, 5.0, 5.0, 19.0, 200.0], p=[0.5, 0.2, 0.2, 0.08, 0.02]))
        off = float(rng.choice([0.0, 100.0, -100.0, 3600.0]))
        turns.append(([reading(now_s - off, f"p{n}", leak=float(rng.random() < 0.1)) for n in range(3)], now_s))
    cut = int(share * len(turns))
    steady, first = QualityWatch(limits, QualityConfig()), QualityWatch(limits, QualityConfig())
    told = [steady.turn(*turn) for turn in turns]
    before = [first.turn(*turn) for turn in turns[:cut]]
    second = QualityWatch(limits, QualityConfig())
    second.restore(first.snapshot())
    assert second.snapshot() == first.snapshot()
    after = [second.turn(*turn) for turn in turns[cut:]]
    assert repr([*before, *after]) == repr(told)  # NaN is not NaN
    assert second.counters == steady.counters


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign"])
def test_a_damaged_snapshot_is_refused(limits: Limits, damage: str) -> None:
    watch = QualityWatch(limits, QualityConfig())
    run(watch, START_S, 3)
    whole = watch.snapshot()
    broken = {"empty": b"", "cut": whole[:-3], "foreign": b"\4\0\0\0null"}[damage]
    with pytest.raises(DataError):
        QualityWatch(limits, QualityConfig()).restore(broken)
