"""What is kept of devices is let go of: one that is forgotten leaves nothing behind, and nobody else notices."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_plant import START, faulty_series, folder, model
from examples import CHANNELS, normal_values

from anomgan.adapters.ports import Letter, Message, Turn
from anomgan.config import ServiceConfig, parse_config
from anomgan.records import Event, HealthIssue, Verdict
from anomgan_detector.desk import Desk
from anomgan_detector.fleet import Fleet
from anomgan_detector.gathering import Gathering
from anomgan_detector.loaded import read_model
from anomgan_detector.making import Made, TurnMaker
from anomgan_detector.post import Post
from anomgan_detector.roster import LOOK_EVERY_S
from anomgan_detector.shadow import Shadow, Shadowed
from anomgan_detector.telling import Telling

__all__ = ["folder", "model"]  # fixtures

FORGET_S = 4320.0
RULE = {"forget_days": FORGET_S / 86_400.0}
ROWS = [dict(zip(CHANNELS, row, strict=True)) for row in normal_values(400, 3).tolist()]
FAULTY = [dict(zip(CHANNELS, row, strict=True)) for row in faulty_series().values.tolist()]
OWN = "service"
Heard = dict[str, dict[str, float]]
"""a turn's readings by device"""


class Hall:
    """Turns made one after another, by a clock that is set by hand."""

    def __init__(self, model: Path, fleets: Sequence[dict[str, Any]] = ({},), shadow: bool = False, **rule: Any):
        document = {
            "broker": {"host": "h"},
            "brokers": [{"name": "north", "host": "n"}, {"name": "south", "host": "s"}],
            "fleets": [{"model": str(model), "topic": "plant/{device}/telemetry"} | fleet for fleet in fleets],
            "store": {"sqlite": {"path": "unused"}},
            "decide": {"open_after": 1, "close_after": 2},
            "input": RULE | rule,
            "quality": {"ranges": {CHANNELS[0]: [-100, 100]}},
        }
        self.config = parse_config(ServiceConfig, document, "service.toml")
        self.posts: list[Post] = []
        for table in self.config.fleets:
            if table.learns:
                self.posts.append(Gathering(table, self.config.input))
                continue
            fleet = Fleet(table, self.config.input, self.config.decide)
            challenger = Shadow(table, self.config.decide, read_model(model, "challenger"), fleet)
            self.posts.append(Shadowed(fleet, challenger) if shadow else fleet)
        self.maker = TurnMaker(self.config, self.posts, Telling(self.config, ()), Desk(self.config, self.posts))
        self.now_s = START
        self.verdicts: list[Verdict] = []
        self.told: list[Event] = []
        self.issues: list[HealthIssue] = []
        self.letters: list[Letter] = []

    @property
    def fleet(self) -> Fleet:
        """The first one."""
        post = self.posts[0]
        found = post.fleet if isinstance(post, Shadowed) else post
        assert isinstance(found, Fleet)
        return found

    def after(self, step_s: float, heard: Heard | None = None, topic: str = "plant/{}/telemetry", broker: str = ""):  # type: ignore[no-untyped-def]
        """Time passes, and a turn is made."""
        self.now_s += step_s
        messages = [
            Message(topic.format(device), json.dumps({"ts": self.now_s - 0.1, **row}).encode(), broker=broker)
            for device, row in (heard or {}).items()
        ]
        made: Made = self.maker.make(Turn(self.now_s, messages))
        self.verdicts += made.batch.verdicts
        self.told += made.told
        self.issues += made.batch.issues
        self.letters += made.letters
        return made

    def state(self) -> dict[str, bytes]:
        """All of it."""
        return self.maker.snapshot(OWN)

    def go_on(self, before: "Hall") -> None:
        """Begin where another one is, as after a restart."""
        by_owner: dict[str, dict[str, bytes]] = {}
        for name, content in before.state().items():
            owner, _, part = name.partition("/")
            by_owner.setdefault(owner, {})[part] = content
        assert self.maker.restore(by_owner, OWN) == len(self.posts)
        self.now_s = before.now_s

    def counted(self, name: str) -> int:
        """A total."""
        return self.maker.counters()[name]


def course(stranger: bool) -> Iterator[tuple[float, Heard]]:
    """A device that goes on, and another one that fails in the midst of a fault and is never heard again."""
    for turn in range(60):
        heard = {"steady": ROWS[turn]}
        if stranger and 10 <= turn < 55:
            heard["gone"] = FAULTY[turn - 10]
        yield 1.0, heard
    for turn in range(60, 60 + int(FORGET_S + 2 * LOOK_EVERY_S) // 15):
        yield 15.0, {"steady": ROWS[turn % len(ROWS)]}
    for turn in range(40):
        yield 1.0, {"steady": ROWS[turn]}


def as_told(verdicts: Sequence[Verdict], device: str) -> list[tuple[float, str, float]]:
    """The verdicts of a device to the last bit."""
    return [(one.time_s, one.surprise.hex(), one.threshold) for one in verdicts if one.device == device]


def test_a_forgotten_device_leaves_nothing_behind_and_the_others_verdicts_are_the_same_to_the_last_bit(
    model: Path,
) -> None:
    forgets, never, alone = Hall(model), Hall(model, forget_days=0), Hall(model)
    for step_s, heard in course(stranger=True):
        forgets.after(step_s, heard)
        never.after(step_s, heard)
    for step_s, heard in course(stranger=False):
        alone.after(step_s, heard)
    assert as_told(forgets.verdicts, "steady") == as_told(never.verdicts, "steady")
    assert forgets.counted("devices_forgotten") == 1
    assert (forgets.maker.devices, never.maker.devices) == (1, 2)
    ours, others = forgets.fleet.snapshot(), alone.fleet.snapshot()
    for part in ("stream", "decisions", "adaptation", "units", "sick", "heard", "wire"):
        assert ours[part] == others[part], part
    assert forgets.fleet._watch.quality.snapshot() == alone.fleet._watch.quality.snapshot()
    assert b"gone" not in b"".join(ours.values())
    assert b"gone" in never.fleet.snapshot()["stream"]


def test_what_is_open_of_a_forgotten_device_is_told_closed_with_the_reason_and_stored_so(model: Path) -> None:
    hall = Hall(model)
    for step_s, heard in course(stranger=True):
        made = hall.after(step_s, heard)
        if hall.counted("devices_forgotten"):
            break
    of_it = [one for one in hall.told if one.device == "gone"]
    assert of_it[0].state == "open"
    assert (of_it[-1].state, of_it[-1].note) == ("closed", "not heard for 0.05 days")
    assert [one.note for one in made.batch.events if one.id == of_it[0].id] == ["not heard for 0.05 days"]
    assert hall.fleet.open_events == 0
    assert not hall.maker._desk.alarms.open_events()
    silent = [one for one in hall.issues if one.device == "gone" and one.kind == "silent"]
    assert [one.state for one in silent] == ["open", "closed"]
    assert silent[-1].reason.endswith("; not heard for 0.05 days")
    health = [letter for letter in hall.letters if letter.topic == "anomgan/gone/health"]
    assert (health[-1].body, health[-1].retain) == (b"", True)
    assert not any(one.device == "gone" for one in made.batch.health)


@pytest.mark.parametrize("shadow", [False, True])
def test_restarts_in_between_change_nothing(model: Path, shadow: bool) -> None:
    steady, restarted = Hall(model, shadow=shadow), Hall(model, shadow=shadow)
    every = [restarted]
    for number, (step_s, heard) in enumerate(course(stranger=True)):
        if number % 37 == 0:
            every.append(Hall(model, shadow=shadow))
            every[-1].go_on(every[-2])
        steady.after(step_s, heard)
        every[-1].after(step_s, heard)
    assert steady.counted("devices_forgotten") == every[-1].counted("devices_forgotten") == 1
    assert [repr(one) for one in steady.told] == [repr(one) for hall in every for one in hall.told]
    assert steady.letters == [letter for hall in every for letter in hall.letters]
    if shadow:
        (post,) = every[-1].posts
        assert isinstance(post, Shadowed)
        assert post.shadow.comparison.challenger.events == len({one.id for one in steady.told if one.device == "gone"})
        assert not post.shadow.comparison.challenger.open
        assert not post.shadow._last
    theirs = every[-1].state()
    for part, content in steady.state().items():
        assert content == theirs[part] or "counted" in part, part  # which has the time that each took


def test_a_device_that_comes_back_warms_up_as_a_new_one(model: Path) -> None:
    hall = Hall(model)
    for step_s, heard in course(stranger=True):
        hall.after(step_s, heard)
    assert hall.fleet.devices == 1
    back, new = [], []
    for row in ROWS[:40]:
        verdicts = hall.after(1.0, {"gone": row, "new": row}).batch.verdicts
        back += [one for one in verdicts if one.device == "gone"]
        new += [one for one in verdicts if one.device == "new"]
    assert [one.threshold for one in back] == [one.threshold for one in new]
    surprises = np.array([[one.surprise for one in device] for device in (back, new)])
    np.testing.assert_allclose(surprises[0], surprises[1], rtol=1e-4)
    assert np.isnan(surprises[:, 0]).all()
    assert np.isfinite(surprises[:, -1]).all()
    assert hall.fleet.devices == 3


def test_lessons_that_people_gave_stay(model: Path) -> None:
    hall = Hall(model)
    turns = course(stranger=True)
    for step_s, heard in turns:
        hall.after(step_s, heard)
        if hall.told:
            break
    event, source = hall.told[0], ("", "gone")
    hall.fleet.adaptation.teach(source, event.id, "false-alarm", event.start_s, event.end_s)
    for step_s, heard in turns:
        hall.after(step_s, heard)
    assert hall.counted("devices_forgotten") == 1
    assert hall.fleet.adaptation.lessons(source) == {event.id: "false-alarm"}
    assert hall.fleet.adaptation.forget(source, event.id)


def test_time_in_which_the_service_was_away_or_its_clock_was_set_forgets_nobody(model: Path) -> None:
    hall = Hall(model)
    hall.after(1.0, {"steady": ROWS[0]})
    for step_s in (100 * 86_400.0, -200 * 86_400.0, 300 * 86_400.0):
        hall.after(step_s)
        hall.after(1.0, {"other": ROWS[0]})
        hall.after(1.0, {"steady": ROWS[1]})
    assert hall.counted("devices_forgotten") == 0
    assert hall.fleet.devices == 2


def test_one_device_too_many_is_dropped_and_counted_until_another_is_forgotten(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hall = Hall(model, most_devices=2)
    for row in ROWS[:20]:
        hall.after(1.0, {"a": row, "b": row, "c": row})
    assert hall.counted("dropped.too_many_devices") == 20
    assert {one.device for one in hall.verdicts} == {"a", "b"}
    assert "device 'c' is one more than input.most_devices = 2" in caplog.text
    assert caplog.text.count("device 'c'") == 5
    for _ in range(int(FORGET_S + 2 * LOOK_EVERY_S) // 60):
        hall.after(60.0, {"a": ROWS[0]})
    hall.after(1.0, {"c": ROWS[0], "d": ROWS[0]})
    assert hall.counted("dropped.too_many_devices") == 21
    assert (hall.fleet.knows(("", "c")), hall.fleet.knows(("", "d"))) == (True, False)


def test_units_and_rows_of_a_device_without_room_are_not_kept(model: Path) -> None:
    single = {"dialect": "metric", "topic": "plant/{device}/{channel}"}
    hall = Hall(model, [single], most_devices=1)
    for number in range(20):
        hall.after(1.0, {f"x{number}": {"value": 1.0}}, topic="plant/{}/" + CHANNELS[0])
    assert len(hall.fleet._assembler or ()) == 1
    for _ in range(4):
        hall.after(3600.0)
    assert len(hall.fleet._assembler or ()) == 0
    assert hall.counted("dropped.forgotten") == 1


def test_a_forgotten_device_is_that_of_the_broker_which_brings_it_next(model: Path) -> None:
    fleets = [{"broker": name, "topic": "sites/mill/{device}", "site": "mill"} for name in ("north", "south")]
    hall = Hall(model, fleets, most_devices=3)
    at = {"topic": "sites/mill/{}"}
    hall.after(1.0, {"p": ROWS[0]}, broker="north", **at)
    hall.after(1.0, {"p": ROWS[0]}, broker="south", **at)
    assert hall.counted("dropped.other_broker") == 1
    for number in range(20):  # what there is no room for is nobody's
        hall.after(1.0, {f"garbage-{number}": ROWS[0]}, broker="south", **at)
    assert hall.maker._origins is not None
    assert len(hall.maker._origins._broker) == 4
    for _ in range(4):
        hall.after(3600.0)
    assert not hall.maker._origins._broker
    hall.after(1.0, {"p": ROWS[0]}, broker="south", **at)
    assert hall.counted("dropped.other_broker") == 1


def test_the_health_of_a_device_that_another_fleet_still_hears_is_told_as_that_one_has_it(model: Path) -> None:
    hall = Hall(model, [{}, {"topic": "other/{device}/telemetry"}])
    for row in ROWS[:5]:
        hall.after(1.0, {"p": row, "q": row})
        hall.after(0.1, {"p": row}, topic="other/{}/telemetry")
    for turn in range(int(FORGET_S + 2 * LOOK_EVERY_S) // 15):
        hall.after(15.0, {"p": ROWS[turn % len(ROWS)]}, topic="other/{}/telemetry")
    assert hall.counted("devices_forgotten") == 2
    assert [post.devices for post in hall.posts] == [0, 1]
    last = {letter.topic: letter.body for letter in hall.letters}
    assert json.loads(last["anomgan/p/health"])["ok"] is True
    assert last["anomgan/q/health"] == b""
    told = [json.loads(letter.body)["ok"] for letter in hall.letters if letter.topic == "anomgan/p/health"]
    assert told[-2:] == [False, True]  # the fleet that hears it no more had said that it is silent
    for _ in range(int(FORGET_S + 2 * LOOK_EVERY_S) // 15):
        hall.after(15.0)
    assert [letter.body for letter in hall.letters if letter.topic == "anomgan/p/health"][-1] == b""


GENERATIONS, NAMES, KEPT = 50, 200, 4


@pytest.mark.parametrize("kind", ["judged", "gathered"])
def test_memory_stays_bounded_where_every_device_has_a_new_name_all_the_time(model: Path, kind: str) -> None:
    fleets = [{}] if kind == "judged" else [{"model": "models/pumps/"}]
    hall = Hall(model, fleets, shadow=kind == "judged")
    sizes = []
    for generation in range(GENERATIONS):
        hall.after(LOOK_EVERY_S / 2, {f"{generation}-{name}": ROWS[generation] for name in range(NAMES)})
        for values in (ROWS[generation], dict.fromkeys(CHANNELS, 1e6), {"no channel of ours": 1.0}):
            hall.after(LOOK_EVERY_S / 6, {f"{generation}-{name}": values for name in range(0, NAMES, 10)})
        sizes.append(sum(map(len, hall.state().values())))
    assert max(sizes[KEPT:]) < 1.2 * max(sizes[:KEPT])
    most = KEPT * NAMES
    assert hall.counted("devices_forgotten") >= GENERATIONS * NAMES - most
    assert hall.maker.devices <= most
    if kind == "judged":
        (post,) = hall.posts
        assert isinstance(post, Shadowed)
        assert len(post.fleet._stream._fleet.run) <= most
        assert len(post.fleet._stream._newest_s) <= most
        assert 0 < len(post.fleet._sick_s) <= most
        assert len(post.shadow._stream._fleet.run) <= most
        assert max(map(len, post.fleet._watch.quality._arrays())) <= most
        heard = [fleet.heard for fleet in hall.maker._desk.alarms._fleets.values()]
        assert max(map(len, heard)) <= NAMES


def test_a_state_from_before_anybody_was_forgotten_is_let_go_of_too(model: Path) -> None:
    """Older snapshots do not say when a device was heard: it counts from the restart on."""
    old, new = Hall(model), Hall(model)
    old.after(1.0, {"a": ROWS[0], "b": {"no channel of ours": 1.0}})
    parts = {part: content for part, content in old.fleet.snapshot().items() if part != "heard"}
    new.fleet.restore(parts)
    assert new.fleet.knows(("", "a"))
    for _ in range(5):
        new.after(3600.0)
    assert new.fleet.devices == 0
    assert not new.fleet._watch.quality.sources
