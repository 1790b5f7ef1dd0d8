"""A replay sends what was recorded: same bytes, same order, same gaps; and its command refuses what makes no sense."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from anomgan.adapters.capture_file import CaptureWriter
from anomgan.adapters.memory import MemoryPublisher
from anomgan.adapters.mqtt_tap import check_filter
from anomgan.adapters.ports import Recorded
from anomgan.errors import ConfigError, Unreachable
from anomgan_cli.main import main
from anomgan_simulator.capture_replay import CaptureTotals, play_capture, renamed
from anomgan_simulator.pace import Pace

Command = Callable[..., tuple[int, str, str]]
START_NS = 1_767_225_600_000_000_000
MESSAGES = [
    Recorded(START_NS, "plant/a", b"\x00\xff", 0, False),
    Recorded(START_NS + 1_500_000_000, "plant/b", b"", 2, True),
    Recorded(START_NS + 1_600_000_000, "other/a", b"{}", 1, False),
    Recorded(START_NS + 9_000_000_000, "plant/a", b"last", 2, False),
]


class Telling:
    """A publisher in memory that also remembers when all had to be acknowledged: "wait"."""

    def __init__(self) -> None:
        self.memory = MemoryPublisher()
        self.told: list[str] = []
        self.connected = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Keep it."""
        self.told.append(topic)
        self.memory.publish(topic, payload, qos=qos, retain=retain)

    def flush(self, timeout_s: float) -> bool:
        """Remember it."""
        self.told.append("wait")
        return True

    def close(self) -> None:
        """Nothing to leave."""


def played(speed: float, renames: tuple[tuple[str, str], ...] = ()) -> tuple[CaptureTotals, Telling, list[float]]:
    time_s, waits = [100.0], list[float]()

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        time_s[0] += seconds
        return False

    publisher = Telling()
    totals = play_capture(MESSAGES, publisher, Pace(speed, lambda: time_s[0], wait), renames, lambda: time_s[0])
    return totals, publisher, waits


def test_topic_bytes_qos_and_retain_are_those_of_the_recording_in_its_order() -> None:
    totals, publisher, _ = played(0.0)
    assert publisher.memory.published == [(one.topic, one.payload) for one in MESSAGES]
    assert publisher.memory.terms == [(one.qos, one.retain) for one in MESSAGES]
    assert (totals.messages_published, totals.payload_bytes, len(totals.topics)) == (4, 8, 3)
    assert not totals.stopped


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_gaps_are_those_of_the_recording_at_any_speed(speed: float) -> None:
    totals, _, waits = played(speed)
    assert waits == pytest.approx([0.0, 1.5 / speed, 0.1 / speed, 7.4 / speed], abs=1e-6)
    assert totals.seconds == pytest.approx(9.0 / speed)


def test_what_follows_a_message_of_qos_2_waits_for_it_for_a_broker_passes_that_on_late() -> None:
    assert played(0.0)[1].told == ["plant/a", "plant/b", "wait", "other/a", "plant/a", "wait"]


def test_topics_are_renamed_by_the_first_rule_that_fits() -> None:
    _, publisher, _ = played(0.0, (("plant/", "copy/"), ("plant/b", "never"), ("", "all/")))
    assert [topic for topic, _ in publisher.memory.published] == ["copy/a", "copy/b", "all/other/a", "copy/a"]
    with pytest.raises(ConfigError, match="nothing is left"):
        renamed("plant/a", [("plant/a", "")])


def test_a_broker_that_keeps_back_acknowledgements_is_an_error() -> None:
    publisher = MemoryPublisher()
    publisher.connected = False
    with pytest.raises(Unreachable, match="not acknowledged everything"):
        play_capture([], publisher, Pace(0.0, lambda: 0.0, lambda seconds: False), (), lambda: 0.0)


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a/#/b", "a+/b", "a\0b", "a" * 65_536])
def test_a_filter_that_mqtt_does_not_allow_is_refused(topic: str) -> None:
    with pytest.raises(ConfigError, match="--topic"):
        check_filter(topic)


@pytest.mark.parametrize("topic", ["#", "a", "+", "a/+/b/#", "+/+", "/", "$SYS/#", "a//b"])
def test_a_filter_that_mqtt_allows_is_taken(topic: str) -> None:
    check_filter(topic)


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `anomgan ...` in a folder with captures, whole, torn, foreign: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    writer = CaptureWriter("whole.jsonl", {"broker": "here:1883"})
    writer.add(MESSAGES)
    writer.close()
    whole = Path("whole.jsonl").read_bytes()
    Path("torn.jsonl").write_bytes(whole[:-4])
    Path("head.jsonl").write_bytes(whole[:20])
    Path("new.jsonl").write_bytes(whole.replace(b'"version":1', b'"version":7'))
    Path("odd.jsonl").write_bytes(whole.replace(b'"qos":2', b'"qos":5'))
    Path("first.jsonl").write_bytes(whole.replace(b'"qos":0', b'"qos":5'))
    Path("csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    Path("empty.jsonl").touch()

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return command


def test_check_shows_what_would_be_sent_and_what_is_torn(command: Command) -> None:
    status, out, err = command("simulate", "--replay", "torn.jsonl", "--check", "--rename", "plant/=p/")
    assert (status, err) == (0, "note: torn.jsonl, line 5: torn off after 83 bytes, and left out\n")
    assert "torn.jsonl: 3 messages on 3 topics, 4 bytes, in 1.6 s, recorded at here:1883" in out
    assert out.splitlines()[1:] == ["p/a 00 ff", "p/b ", "other/a {}"]
    _, out, _ = command("simulate", "--replay", "whole.jsonl", "--check", "--rows", "2:3")
    assert "1 messages on 1 topics" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("simulate --replay new.jsonl", "new.jsonl: a capture of version 7; this anomgan reads version 1"),
        ("simulate --replay head.jsonl", "head.jsonl: its first line is torn: not one message was recorded"),
        ("simulate --replay odd.jsonl --check", "odd.jsonl, line 3: qos: 5 is none of 0, 1, 2"),
        ("simulate --replay first.jsonl", "first.jsonl, line 2: qos: 5 is none of 0, 1, 2"),
        ("simulate --replay empty.jsonl", "empty.jsonl: the file is empty"),
        ("simulate --replay .", ".: a directory, not a file"),
        ("simulate --replay csv.gz", "csv.gz: this is compressed with gzip"),
        ("simulate --replay whole.jsonl --broker 127.0.0.1:1", "MQTT broker 127.0.0.1:1"),
        ("simulate --replay whole.jsonl --time ts", "--time does not go with --replay of a capture"),
        ("simulate --replay whole.jsonl --topic a/b", "--topic does not go with --replay of a capture"),
        ("simulate --replay whole.jsonl --start now", "--start does not go with --replay of a capture"),
        ("simulate --replay whole.jsonl --to-parquet set", "--to-parquet does not go with --replay of a capture"),
        ("simulate --replay whole.jsonl --summary no/s.json", "no/s.json: cannot be written"),
        ("simulate --replay whole.jsonl --key-file k", "key_file is given, yet without tls = true"),
        ("simulate --replay whole.jsonl --tls --ca-file no.pem", "no.pem"),
        ("annotations --follow 127.0.0.1:1 --grafana http://127.0.0.1:1 --password-env P", "given without a username"),
        ("annotations truth.jsonl --out a.json --tls", "go with --follow"),
        ("judge 127.0.0.1:1 --cert-file c", "cert_file is given, yet without tls = true"),
        ("simulate --replay whole.jsonl --rows 5:5", "--rows of a capture go from a message up to a later one"),
        ("simulate --replay whole.jsonl --rename plant", "'plant' is not FROM=TO"),
        ("simulate --replay whole.jsonl --rename plant/=#", "'plant/=#' is not FROM=TO"),
        ("simulate --replay whole.jsonl --rename plant/a=", "nothing is left of the topic 'plant/a'"),
        ("record 127.0.0.1:1 --out new.jsonl", "new.jsonl: it is there already; --force replaces it"),
        ("record 127.0.0.1:1 --out no/c.jsonl", "no/c.jsonl: cannot be written"),
        ("record 127.0.0.1:1 --out c --topic a/#/b", "--topic 'a/#/b': # stands alone, at the end"),
        ("record 127.0.0.1:1 --out c --for soon", "'soon' is not a duration such as"),
        ("record 127.0.0.1:1 --out c", "MQTT broker 127.0.0.1:1: connection refused"),
        ("record 127.0.0.1:1 --out c --password-env P", "password_env is given without a username"),
        ("record host:x --out c", "'host:x' is not HOST or HOST:PORT"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(command: Command, line: str, message: str) -> None:
    status, out, err = command(*line.split())
    assert status == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not Path("c").exists()


def test_a_capture_is_known_by_its_content_whatever_it_is_called(command: Command) -> None:
    Path("whole.jsonl").rename("whole.csv")
    assert command("simulate", "--replay", "whole.csv", "--check")[0] == 0
    spaced = [json.dumps(json.loads(line)) for line in Path("whole.csv").read_text().splitlines()]
    Path("spaced.parquet").write_text("\n".join(spaced))
    assert "4 messages" in command("simulate", "--replay", "spaced.parquet", "--check")[1]
