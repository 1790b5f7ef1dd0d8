"""What an operator sees and does: shown as it is, retried in order, dropped when told; all of it or nothing."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.adapters.journal import Journal
from anomgan.adapters.journal_operator import Amount, Choice, chosen, drop, overview, quarantined, retry
from anomgan.adapters.mqtt_carrier import MqttCarrier
from anomgan.adapters.ports import Letter, Message, Rejection, Turn
from anomgan.errors import DataError, ServerError, Unreachable
from anomgan_cli.main import main
from anomgan_detector.courier import Courier

LIMIT = 1_000_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anomgan-journal.db"


def refuse(
    journal: Journal, parts: Sequence[tuple[str, bytes]], reason: str = "HTTP 400: no", now_s: float = 5.0
) -> None:
    """One letter for each part, which is refused."""
    journal.post([Letter(addressee, body, f"to/{addressee}", retain=True) for addressee, body in parts])
    for addressee in {addressee for addressee, _ in parts}:
        letters = journal.letters(addressee, 10**6)
        journal.quarantine([Rejection(letter, letter.body, reason) for letter in letters], now_s)


@pytest.fixture
def journal(path: Path) -> Journal:
    """Parts 1 to 3 of influx and 4 of mqtt are in quarantine, one letter waits for each."""
    journal = Journal(path, LIMIT)
    refuse(journal, [("influx", b"a"), ("influx", b"bb"), ("influx", b"ccc")])
    refuse(journal, [("mqtt", b"{}")], "no such topic", 6.0)
    journal.append(Turn(1000.0, [Message("t", b"p")]), [Letter("influx", b"waits"), Letter("mqtt", b"[]")])
    return journal


def numbers(path: Path, choice: Choice = Choice()) -> list[int]:  # noqa: B008 it is frozen
    return [part.number for part in quarantined(path, choice)]


def bodies(journal: Journal, addressee: str = "influx") -> list[bytes]:
    return [letter.body for letter in journal.letters(addressee, 10**6)]


# ---------------------------------------------------------------- looking


def test_the_overview_counts_what_waits_and_what_was_refused(journal: Journal, path: Path) -> None:
    refuse(journal, [("notify", b"x")])
    found = overview(path)
    assert [(one.addressee, one.letters, one.bytes) for one in found.waiting] == [("influx", 1, 5), ("mqtt", 1, 2)]
    assert [(one.addressee, one.reason, one.parts, one.bytes, one.since_s) for one in found.refused] == [
        ("influx", "HTTP 400: no", 3, 6, 5.0),
        ("mqtt", "no such topic", 1, 2, 6.0),
        ("notify", "HTTP 400: no", 1, 1, 5.0),
    ]
    assert (found.bytes, found.turns, found.turns_since_s, found.snapshot_bytes) == (16, 1, 1000.0, 0)
    journal.checkpoint({"fleet": b"1234"})
    found = overview(path)
    assert (found.turns, found.turns_since_s, found.snapshot_bytes) == (0, None, 4)
    assert found.file_bytes >= path.stat().st_size > 0


def test_a_reader_who_stops_in_the_middle_holds_up_nobody(journal: Journal, path: Path) -> None:
    refuse(journal, [("influx", b"x%d" % number) for number in range(1000)])
    reading = quarantined(path, Choice())
    next(reading)
    journal.post([Letter("influx", b"more")])
    with closing(sqlite3.connect(path)) as connection:
        busy, in_log, copied = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    assert (busy, in_log) == (0, copied)
    assert len(list(reading)) == 1004  # and the letter that waited


def test_the_choice_is_by_number_by_addressee_or_all(journal: Journal, path: Path) -> None:
    journal.close()
    assert numbers(path) == [1, 2, 3, 4]
    assert numbers(path, Choice([3, 1, 3])) == [1, 3]
    assert numbers(path, Choice(addressee="mqtt")) == [4]
    assert numbers(path, Choice([2], "influx")) == [2]
    assert chosen(path, Choice([4, 1])) == [Amount("influx", 1, 1), Amount("mqtt", 1, 2)]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice([9]), "no number 9 in quarantine"),
        (Choice([1, 2**80, 0, 7, 8, 9, 10]), f"no number {2**80}, 0, 7, 8, 9 and 1 more in quarantine"),
        (Choice([4], "influx"), "no number 4 in quarantine of what influx refused"),
        (Choice(addressee="nobody"), "nothing that nobody refused is in quarantine"),
    ],
)
def test_what_is_not_there_is_an_error_and_changes_nothing(
    journal: Journal, path: Path, choice: Choice, message: str
) -> None:
    for act in (retry, drop, chosen, lambda path, choice: list(quarantined(path, choice))):
        with pytest.raises(DataError, match=f"journal .*: {message}"):
            act(path, choice)
    assert numbers(path) == [1, 2, 3, 4]
    assert bodies(journal) == [b"waits"]


def test_where_there_is_no_journal_none_is_made(path: Path) -> None:
    for act in (overview, lambda path: retry(path, Choice()), lambda path: drop(path, Choice())):
        with pytest.raises(Unreachable, match="there is none yet"):
            act(path)
        assert not path.exists()
    path.touch()
    with pytest.raises(Unreachable, match="nothing written yet"):
        retry(path, Choice())
    assert path.stat().st_size == 0


# ---------------------------------------------------------------- doing


def test_retried_parts_are_whole_letters_behind_those_that_wait_in_the_order_of_refusal(
    journal: Journal, path: Path
) -> None:
    assert retry(path, Choice([3, 1, 4])) == [Amount("influx", 2, 4), Amount("mqtt", 1, 2)]
    assert bodies(journal) == [b"waits", b"a", b"ccc"]
    (_, again) = journal.letters("mqtt", 9)
    assert (again.body, again.topic, again.retain) == (b"{}", "to/mqtt", True)
    assert numbers(path) == [2]
    assert journal.standing().bytes == overview(path).bytes == 15
    assert retry(path, Choice()) == [Amount("influx", 1, 2)]
    assert retry(path, Choice()) == []
    assert bodies(journal) == [b"waits", b"a", b"ccc", b"bb"]


def test_dropped_parts_are_gone_and_make_room(journal: Journal, path: Path) -> None:
    assert drop(path, Choice([2])) == [Amount("influx", 1, 2)]
    assert numbers(path) == [1, 3, 4]
    assert drop(path, Choice(addressee="influx")) == [Amount("influx", 2, 4)]
    assert drop(path, Choice()) == [Amount("mqtt", 1, 2)]
    assert journal.standing().bytes == len(b"waits") + len(b"[]")
    assert bodies(journal) == [b"waits"]


def test_a_number_is_never_used_twice(journal: Journal, path: Path) -> None:
    """Who says once more to drop number 4 must not drop another part."""
    drop(path, Choice([4]))
    refuse(journal, [("notify", b"new")])
    assert numbers(path, Choice(addressee="notify")) == [5]
    with pytest.raises(DataError, match="no number 4"):
        drop(path, Choice([4]))


def test_a_disk_with_too_little_room_moves_nothing_but_can_still_be_emptied(journal: Journal, path: Path) -> None:
    with pytest.raises(ServerError, match=r"the disk has [0-9,]+ left; retry fewer at once"):
        retry(path, Choice(), room_bytes=10**18)
    assert numbers(path) == [1, 2, 3, 4]
    assert len(drop(path, Choice())) == 2


class Fussy:
    """A Publisher that does not take some bodies."""

    def __init__(self) -> None:
        self.refused: set[bytes] = set()
        self.got: list[tuple[str, bytes, bool]] = []
        self.connected = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """DataError for those."""
        if payload in self.refused:
            raise DataError("never")
        self.got.append((topic, payload, retain))

    def flush(self, timeout_s: float) -> bool:
        """All have arrived."""
        return True

    def close(self) -> None:
        """Nothing stays open."""


def test_a_running_courier_delivers_what_is_retried_and_what_is_refused_again_comes_back(path: Path) -> None:
    publisher = Fussy()
    publisher.refused = {b"1", b"2"}
    courier = Courier("mqtt", Journal(path, LIMIT), MqttCarrier(publisher, 1), lambda: 7.0)
    journal = Journal(path, LIMIT)
    journal.post([Letter("mqtt", b"%d" % number, f"topic/{number}", retain=number == 1) for number in range(3)])
    while courier.carry_some():
        pass
    assert numbers(path) == [1, 2]
    publisher.refused = {b"2"}
    retry(path, Choice())
    while courier.carry_some():
        pass
    assert publisher.got == [("topic/0", b"0", False), ("topic/1", b"1", True)]
    (back,) = quarantined(path, Choice())
    assert (back.number, back.body, back.topic, back.since_s) == (3, b"2", "topic/2", 7.0)


def test_killed_at_any_moment_all_has_happened_or_nothing(path: Path) -> None:
    total = 20_000
    journal = Journal(path, LIMIT)
    refuse(journal, [("influx", b"%d" % number) for number in range(total)])
    script = (
        "import sys; from pathlib import Path; from anomgan.adapters.journal_operator import Choice, retry; "
        "print('ready', flush=True); retry(Path(sys.argv[1]), Choice())"
    )
    moved, delay_s = 0, 0.001
    while not moved:
        command = [sys.executable, "-c", script, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay_s)
            process.kill()
        moved, delay_s = len(bodies(journal)), 3 * delay_s
        assert (moved, len(numbers(path))) in ((0, total), (total, 0))
    assert bodies(journal) == [b"%d" % number for number in range(total)]


@pytest.mark.parametrize("act", [retry, drop])
def test_what_fails_in_the_middle_has_not_happened(
    journal: Journal, path: Path, act: Callable[[Path, Choice], list[Amount]]
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER stop BEFORE DELETE ON quarantine WHEN OLD.number = 3 BEGIN SELECT RAISE(FAIL, 'stop'); END"
        )
    with pytest.raises(ServerError, match="stop"):
        act(path, Choice())
    assert numbers(path) == [1, 2, 3, 4]
    assert bodies(journal) == [b"waits"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["refuse", "retry", "drop"]),
        st.sampled_from(["", "influx", "mqtt"]),
        st.lists(st.integers(0, 12), max_size=3),
    ),
    max_size=15,
)


@settings(max_examples=25)
@given(steps)
def test_any_course_of_actions_leaves_what_two_plain_lists_would(
    tmp_path_factory: pytest.TempPathFactory, course: list[tuple[str, str, list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("course") / "journal.db"
    with closing(Journal(path, LIMIT)) as journal:
        journal.check()
        outbox: list[tuple[str, bytes]] = []
        refused: dict[int, tuple[str, bytes]] = {}
        last = 0
        for step, (action, addressee, picked) in enumerate(course):
            if action == "refuse":
                last += 1
                one = (addressee or "influx", b"x" * step)
                letter = Letter(*one)
                journal.quarantine([Rejection(letter, letter.body, "no")], 1.0)
                refused[last] = one
                continue
            wanted = {
                number: one
                for number, one in refused.items()
                if (not picked or number in picked) and addressee in ("", one[0])
            }
            act = retry if action == "retry" else drop
            if not set(picked) <= wanted.keys() or (addressee and not wanted):
                with pytest.raises(DataError):
                    act(path, Choice(picked, addressee))
                continue
            assert sum(one.parts for one in act(path, Choice(picked, addressee))) == len(wanted)
            refused = {number: one for number, one in refused.items() if number not in wanted}
            outbox += list(wanted.values()) if action == "retry" else []
        assert [(part.number, (part.addressee, part.body)) for part in quarantined(path, Choice())] == [
            *refused.items()
        ]
        for name in ("influx", "mqtt"):
            assert bodies(journal, name) == [body for addressee, body in outbox if addressee == name]
        assert journal.standing().bytes == sum(len(body) for _, body in [*outbox, *refused.values()])


def test_a_journal_of_the_second_version_is_shown_as_it_is_and_brought_up_to_date_by_a_change(
    journal: Journal, path: Path
) -> None:
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE old (number INTEGER PRIMARY KEY, addressee TEXT NOT NULL, body BLOB NOT NULL,
                              reason TEXT NOT NULL, since_s REAL NOT NULL);
            INSERT INTO old SELECT number, addressee, body, reason, since_s FROM quarantine;
            DROP TABLE quarantine;
            ALTER TABLE old RENAME TO quarantine;
            CREATE TRIGGER quarantine_comes AFTER INSERT ON quarantine
                BEGIN UPDATE kept SET bytes = bytes + length(NEW.body); END;
            CREATE TRIGGER quarantine_goes AFTER DELETE ON quarantine
                BEGIN UPDATE kept SET bytes = bytes - length(OLD.body); END;
            ALTER TABLE turn DROP COLUMN away;
            PRAGMA user_version = 2;
        """)
    assert [(one.number, one.body, one.topic) for one in quarantined(path, Choice([4]))] == [(4, b"{}", "")]
    before = overview(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    drop(path, Choice([4]))
    retry(path, Choice([2]))
    again = Journal(path, LIMIT)
    assert bodies(again) == [b"waits", b"bb"]
    assert again.standing().bytes == before.bytes - 2
    refuse(again, [("mqtt", b"new")])
    assert numbers(path) == [1, 3, 5, 6]  # the letter that waited was refused, too
    again.close()


# ---------------------------------------------------------------- the command


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `anomgan journal detector.toml ...` in the folder: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "detector.toml").write_text(
        '[broker]\n[[fleets]]\nmodel = "m.safetensors"\ntopic = "plant/{device}"\n[store.sqlite]\npath = "a.db"\n'
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["journal", "detector.toml", *arguments])
        assert isinstance(left.value.code, int | None)
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return run


def test_the_command_shows_limit_letters_and_quarantine(run: Run, journal: Journal, tmp_path: Path) -> None:
    status, said, _ = run("--json", "figures.json")
    assert status == 0
    lines = said.splitlines()
    assert lines[0].startswith("journal anomgan-journal.db: 15 of 1,000,000,000 bytes used (0.0%), ")
    assert lines[1] == "state: no snapshot, 1 turn since, the first at 1000 s"
    assert lines[2:] == [
        "letters that wait:",
        "  addressee  letters  bytes",
        "  influx           1      5",
        "  mqtt             1      2",
        "in quarantine, refused:",
        "  addressee  parts  bytes  since  reason",
        "  influx         3      6  5 s    HTTP 400: no",
        "  mqtt           1      2  6 s    no such topic",
        "wrote figures.json",
    ]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["bytes"], figures["limit_bytes"], figures["turns"]) == (15, 1_000_000_000, 1)
    assert figures["waiting"][0] == {"addressee": "influx", "letters": 1, "bytes": 5}
    assert figures["refused"][1]["reason"] == "no such topic"
    assert run("show")[1].splitlines()[::3] == [
        "1 influx 5 s HTTP 400: no | to/influx a",
        "4 mqtt 6 s no such topic | to/mqtt {}",
    ]


def test_reasons_without_end_are_summed_up(run: Run, journal: Journal) -> None:
    for number in range(30):
        refuse(journal, [("notify", b"x")], f"HTTP 400: line {number}")
    said = run()[1]
    assert "  and 10 parts of notify for further reasons" in said
    assert len(said.splitlines()) < 40


def test_text_from_outside_is_shown_printable_on_one_line_and_not_endless(run: Run, journal: Journal) -> None:
    refuse(journal, [("notify", b"\x1b[2J\xff\r\nx" + b"y" * 10_000)], "why\x1b]0;t\x07\n\u202e" + "z" * 10_000)
    for said in (run("show", "--addressee", "notify")[1], run()[1]):
        assert not [letter for letter in said if letter != "\n" and not letter.isprintable()]
    (line,) = run("show", "--addressee", "notify")[1].splitlines()
    assert len(line) < 700


def test_parts_are_written_as_they_are_for_one_addressee_at_a_time(run: Run, journal: Journal, tmp_path: Path) -> None:
    status, said, _ = run("show", "--addressee", "influx", "--out", "refused.txt")
    assert (status, said) == (0, "wrote refused.txt: 3 parts that influx refused\n")
    assert (tmp_path / "refused.txt").read_bytes() == b"a\nbb\nccc\n"
    status, _, err = run("show", "--out", "both.txt")
    assert status == 2
    assert "influx, mqtt refused something" in err
    assert not (tmp_path / "both.txt").exists()
    assert "there is no directory" in run("show", "1", "--out", "no/such/refused.txt")[2]


def test_the_command_retries_and_drops_and_says_so_in_one_line(run: Run, journal: Journal, path: Path) -> None:
    assert run("retry", "2")[1] == (
        "journal anomgan-journal.db: to be delivered again: 1 part of influx (2 bytes); "
        "a running service does it within seconds\n"
    )
    assert run("drop", "--addressee", "mqtt")[1] == "journal anomgan-journal.db: dropped 1 part of mqtt (2 bytes)\n"
    assert run("retry")[1].count("2 parts of influx (4 bytes)") == 1
    assert numbers(path) == []
    assert bodies(journal) == [b"waits", b"bb", b"a", b"ccc"]
    assert run("drop", "--all") == (0, "journal anomgan-journal.db: nothing is in quarantine; nothing to drop\n", "")
    assert run("show")[1] == "journal anomgan-journal.db: nothing is in quarantine\n"
    assert "nothing is in quarantine" in run()[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("drop",), ("drop", "1", "--all"), ("show", "--json", "x"), ("retry", "--out", "x"), ("--out", "x"), ("--all",),
        ("--addressee", "influx"), ("shred",), ("drop", "one"), ("drop", "9"), ("retry", "1", "9"),
        ("--json", "anomgan-journal.db"), ("show", "1", "--out", "./anomgan-journal.db"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_an_error_and_changes_nothing(
    run: Run, journal: Journal, path: Path, arguments: tuple[str, ...]
) -> None:
    status, said, err = run(*arguments)
    assert (status, said) == (2, "")
    assert [line for line in err.splitlines() if line.lower().startswith(("error: ", "anomgan: error: "))]
    assert numbers(path) == [1, 2, 3, 4]


def damage(path: Path) -> None:
    Journal(path, LIMIT).check()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: None, "there is none yet"),
        (lambda path: path.touch(), "nothing written yet"),
        (lambda path: path.write_bytes(b"no database at all " * 99), "not an SQLite file"),
        (lambda path: path.mkdir(), "not a file"),
        (damage, "the file is damaged"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("show",), ("retry",), ("drop", "--all")])
def test_a_journal_that_is_none_is_one_line(
    run: Run, path: Path, spoil: Callable[[Path], None], message: str, arguments: tuple[str, ...]
) -> None:
    spoil(path)
    status, said, err = run(*arguments)
    assert (status, said) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("anomgan: error: journal anomgan-journal.db: ")
    assert message in line
