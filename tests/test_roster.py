"""The roster of a fleet's devices: who is let in, who goes, and what of it survives."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import InputConfig
from anomgan.errors import DataError
from anomgan.records import Reading
from anomgan_detector.roster import LOOK_EVERY_S, Roster

RULE = InputConfig(forget_days=0.1, most_devices=4)
FORGET_S = 8640.0


def named(names: str) -> list[Reading]:
    return [Reading(name, 0.0, {"flow": 1.0}) for name in names]


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.text("abcdefgh", max_size=8)), max_size=60))
def test_it_is_what_a_naive_list_of_everything_heard_says(turns: list[tuple[float, str]]) -> None:
    roster, history, now_s, listened_s, due_s = Roster(RULE), dict[str, float](), 1e9, 0.0, LOOK_EVERY_S
    for number, (step_s, names) in enumerate(turns):
        now_s += step_s
        listened_s += min(max(step_s, 0.0), LOOK_EVERY_S) if number else 0.0
        roster.tick(now_s)
        readings = named(names)
        let_in = []
        for name in names:
            if name in history or len(history) < RULE.most_devices:
                history[name] = listened_s
                let_in.append(name)
        strange = roster.strangers(readings)
        assert [one.device for one in readings if one not in strange] == let_in
        roster.hear([("", name) for name in let_in])
        gone = set()
        if listened_s >= due_s:
            due_s = listened_s + LOOK_EVERY_S
            gone = {name for name, heard_s in history.items() if heard_s < listened_s - FORGET_S}
        assert set(roster.gone()) == {("", name) for name in gone}
        history = {name: heard_s for name, heard_s in history.items() if name not in gone}
        assert set(roster.sources) == {("", name) for name in history}
        again = Roster(RULE)
        again.restore(roster.snapshot())
        assert again.snapshot() == roster.snapshot()
        roster = again


def test_nobody_is_forgotten_where_that_is_off() -> None:
    roster = Roster(InputConfig(forget_days=0))
    for number in range(1000):
        roster.tick(1e9 + 3600.0 * number)
        roster.hear([("", "a")] if number == 0 else [])
        assert not roster.gone()
    Roster(RULE).restore(roster.snapshot())


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"heard": [["", "a"]]},
        {"heard": [["", 1, 0.0]]},
        {"heard": [["", "a", 1e9]]},
        {"heard": None},
        {"turn_s": "now"},
        {"turn_s": 1e300},
        {"clock_s": None},
        {"look_due_s": 1e9},
    ],
)
def test_what_no_roster_has_written_is_refused_and_changes_nothing(changes: dict[str, object]) -> None:
    roster = Roster(RULE)
    roster.tick(1e9)
    roster.hear([("", "a")])
    before = roster.snapshot()
    for bad in (orjson.dumps(orjson.loads(before) | changes), before[:-1], b"[]", b""):
        with pytest.raises(DataError, match="devices"):
            roster.restore(bad)
        assert roster.snapshot() == before
