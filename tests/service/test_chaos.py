"""A short version of `make chaos`, each kind of disturbance once, and that the comparison can find something."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from chaos.acts import CONCERNS, KINDS, Act, Kind, Means, carry_out, plan
from chaos.compare import Tally, compare_scores, compare_store
from chaos.plant import Plant, Undisturbed, train, undisturbed
from chaos.trial import FULL, SHORT, Scale, run_trial

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore

SEED = 2
"""with which the service is killed in the middle of a batch"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "pump.safetensors"
    train(path)
    return path


@pytest.mark.parametrize("database", sorted(SHORT))
def test_nothing_is_lost_doubled_or_changed_by_what_happens_around_the_service(
    database: str, tmp_path: Path, model: Path
) -> None:
    said: list[str] = []
    outcome = run_trial(tmp_path / "trial", database, SEED, SHORT[database], model, said.append)
    told = "\n".join((*said, *outcome.tally.words, *outcome.wrong))
    assert outcome.good, told
    assert outcome.kills == 3, told
    assert outcome.readings > 1000


def test_a_disk_of_files_that_may_not_grow_is_full_as_well(tmp_path: Path, model: Path) -> None:
    """What stands in for a small tmpfs where nothing may be mounted."""
    scale = Scale(20, 4.0, (("disk full",),), 1.0, long=False)
    outcome = run_trial(tmp_path / "trial", "influx", SEED, scale, model, mount=False)
    assert outcome.good, (outcome.tally.words, outcome.wrong)
    assert (outcome.disk, outcome.kills) == ("RLIMIT_FSIZE", 1)


# ---------------------------------------------------------------- the plan


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """What it is."""
        return self.now_s

    def wait(self, seconds: float) -> None:
        """Let so much of it pass."""
        self.now_s += seconds


def test_the_plan_follows_from_the_seed_and_has_each_kind() -> None:
    (one, again, other) = (plan(random.Random(seed), FULL.rounds[0], 5.0, long=True) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(act.kind for act in one) == sorted(FULL.rounds[0])
    assert set(KINDS) == set(CONCERNS) == {act.kind for act in one}
    assert max(act.lasts_s for act in one) == next(act.lasts_s for act in one if act.kind == "database away")
    assert len(FULL.rounds) * len(FULL.rounds[0]) * 2 >= 30


def test_faults_overlap_but_not_those_of_one_thing_and_none_is_left_behind() -> None:
    clock, under_way, seen = Clock(), set(), []

    def begin(kind: Kind) -> None:
        assert CONCERNS[kind] not in under_way
        under_way.add(CONCERNS[kind])
        seen.append((kind, len(under_way)))

    def end(kind: Kind) -> bool:
        if clock.now_s % 3.0 < 1.5:
            return False  # not noticed yet
        under_way.remove(CONCERNS[kind])
        return True

    def strike(act: Act, rest: object) -> None:
        seen.append((act.kind, len(under_way)))

    dice = random.Random(0)
    acts = [act for _ in range(5) for act in plan(dice, KINDS, 2.0, long=False)]
    carry_out(acts, Means(begin, end, strike, clock, clock.wait, lambda words: None))
    assert [kind for kind, _ in seen] == [act.kind for act in acts]
    assert max(together for _, together in seen) >= 2
    assert under_way == set()


# ---------------------------------------------------------------- the comparison


@pytest.fixture
def stored(tmp_path: Path, model: Path) -> tuple[Path, Undisturbed]:
    """A store with all that an undisturbed run says, and what that is."""
    meant = undisturbed(model, Plant(10, SEED), 200)
    assert len(meant.events) >= 3
    path = tmp_path / "anomgan.db"
    with closing(SqliteStore(path)) as store:
        store.write(Batch(meant.verdicts, list(meant.events.values()), {"readings_admitted": 2000}))
    return path, meant


def counted(path: Path, meant: Undisturbed) -> tuple[int, int, int]:
    tally = Tally()
    compare_store(tally, path, meant)
    assert bool(tally.words) == bool(tally.lost or tally.doubled or tally.differing)
    return tally.lost, tally.doubled, tally.differing


def test_a_store_that_holds_what_it_should_has_nothing_lost_doubled_or_differing(
    stored: tuple[Path, Undisturbed],
) -> None:
    assert counted(*stored) == (0, 0, 0)


@pytest.mark.parametrize(
    ("harm", "meant"),
    [
        ("DELETE FROM verdict WHERE time_s = 1700000050 AND device_id <= 3", (3, 0, 0)),
        ("DELETE FROM event WHERE id = (SELECT min(id) FROM event)", (1, 0, 0)),
        ("UPDATE counter SET value = value - 2", (2, 0, 0)),
        ("UPDATE verdict SET time_s = 1600000000 WHERE time_s = 1700000050 AND device_id = 1", (1, 1, 0)),
        ("UPDATE event SET id = 'p1@7' WHERE id = (SELECT min(id) FROM event)", (1, 1, 0)),
        ("UPDATE counter SET value = value + 2", (0, 2, 0)),
        ("UPDATE verdict SET anomalous = 1 - anomalous WHERE time_s = 1700000050 AND device_id = 1", (0, 0, 1)),
        ("UPDATE verdict SET surprise = surprise + 0.001 WHERE time_s = 1700000050 AND device_id = 1", (0, 0, 1)),
        ("UPDATE verdict SET surprise = NULL WHERE time_s = 1700000050 AND device_id = 1", (0, 0, 1)),
        ("UPDATE verdict SET surprise = 0.0 WHERE time_s = 1700000005 AND device_id = 1", (0, 0, 1)),
        ("UPDATE event SET end_s = end_s + 1 WHERE id = (SELECT min(id) FROM event)", (0, 0, 1)),
        ("UPDATE event SET severity = 'none' WHERE id = (SELECT min(id) FROM event)", (0, 0, 1)),
    ],
)
def test_whatever_is_missing_too_much_or_changed_is_counted(
    stored: tuple[Path, Undisturbed], harm: str, meant: tuple[int, int, int]
) -> None:
    path, expected = stored
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(harm).rowcount > 0
        connection.commit()
    assert counted(path, expected) == meant


def test_a_score_that_stands_twice_in_a_database_is_doubled() -> None:
    tally = Tally()
    compare_scores(tally, "a database", {("d1", 1.0): [(0.5, False), (0.5, False)]}, {("d1", 1.0): (0.5, False)})
    assert (tally.lost, tally.doubled, tally.differing) == (0, 1, 0)
