"""`anomgan record` and `anomgan simulate --replay`: what passed comes again, to the byte, and again the same."""

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from programs import PATIENCE_S, Program, command
from servers import Mosquitto, eventually

from anomgan.adapters.capture_file import CaptureReader
from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.mqtt_tap import MqttTap, open_tap
from anomgan.adapters.ports import Recorded
from anomgan.config import BrokerConfig
from anomgan.errors import Refused

Sent = tuple[str, bytes, int, bool]
"""topic, payload, QoS, retain"""
MIXED: list[Sent] = [
    ("plant/pump-1/telemetry", b'{"flow": 3.5, "note": "m\xc2\xb3/h \\" \\n"}', 1, False),
    ("spBv1.0/g/NDATA/e", bytes(range(256)), 0, False),
    ("plant/pump-1/status", b"online", 2, True),
    ("plant/pump-1/telemetry", b"", 0, False),
    ("plant/pump-2/telemetry", b"\xff\x00\r\n", 2, False),
    ("plant/pump-2/telemetry", b"line one\nline two\x00\x7f\xe2\x80\xa8", 1, False),
    ("plant/pump-1/status", b"", 1, True),
    ("plant/\xc3\xbc/\xe2\x82\xac".encode("latin-1").decode(), "größer".encode(), 1, True),
    ("plant/big", b"\x01\xfe" * 50_000, 1, False),
]
TRAFFIC = MIXED + [
    (f"plant/pump-{number % 7}/telemetry", number.to_bytes(2, "big"), number % 3, number % 50 == 0)
    for number in range(300)
]


@pytest.fixture(params=[3, 5])
def broker(request: pytest.FixtureRequest, mosquitto_server: Mosquitto) -> BrokerConfig:
    """A broker of one's own, to be published to in either version."""
    return mosquitto_server.config.model_copy(update={"version": request.param})


def anomgan(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def address(broker: BrokerConfig) -> str:
    return f"{broker.host}:{broker.port}"


@contextmanager
def only_old(broker: BrokerConfig) -> Iterator[BrokerConfig]:
    """The same broker for those who speak MQTT 3.1.1; it hangs up on others, as brokers of that time do."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with source, suppress(OSError):
            while data := source.recv(4096):
                if b"MQTT\x05" in data[:10]:
                    break
                sink.sendall(data)
            for one in (source, sink):
                one.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((broker.host, broker.port))
                threads.extend(threading.Thread(target=pump, args=ends) for ends in ((near, far), (far, near)))
                for thread in threads[-2:]:
                    thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        yield broker.model_copy(update={"host": "127.0.0.1", "port": listener.getsockname()[1]})
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(PATIENCE_S)


def recording(folder: Path, broker: BrokerConfig, out: Path, *arguments: str) -> Program:
    """A recorder that listens now."""
    program = Program(folder, ["record", address(broker), "--out", str(out), *arguments], folder / f"{out.name}.log")
    program.await_words("0 messages")
    return program


def publish(broker: BrokerConfig, messages: Sequence[Sent]) -> None:
    with closing(MqttPublisher(broker)) as publisher:
        before = 0
        for topic, payload, qos, retain in messages:
            if before == 2 != qos:  # a message of QoS 2 is passed on late
                assert publisher.flush(PATIENCE_S)
            publisher.publish(topic, payload, qos=qos, retain=retain)
            before = qos
        assert publisher.flush(PATIENCE_S)


def ended(program: Program, number: signal.Signals = signal.SIGINT) -> str:
    program.process.send_signal(number)
    assert program.process.wait(PATIENCE_S) == 0, program.said()
    return program.said()


def await_messages(out: Path, count: int) -> None:
    eventually(lambda: len(list(CaptureReader(out))) >= count, f"{count} messages in {out.name}")


def content(out: Path) -> list[Sent]:
    return [(one.topic, one.payload, one.qos, one.retain) for one in CaptureReader(out)]


def test_a_replay_recorded_is_the_recording(broker: BrokerConfig, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl.gz"
    recorder = recording(tmp_path, broker, first)
    publish(broker, TRAFFIC)
    await_messages(first, len(TRAFFIC))
    said = ended(recorder)
    assert f"{len(TRAFFIC)} messages on" in said
    assert content(first) == TRAFFIC
    publish(broker, [(topic, b"", 1, True) for topic in {topic for topic, _, _, retain in TRAFFIC if retain}])
    recorder = recording(tmp_path, broker, second)
    done = anomgan(tmp_path, "simulate", "--replay", str(first), "--broker", address(broker), "--speed", "max")
    assert done.returncode == 0, done.stderr
    await_messages(second, len(TRAFFIC))
    ended(recorder, signal.SIGTERM)
    assert content(second) == content(first)
    assert [one.time_ns for one in CaptureReader(second)] == sorted(one.time_ns for one in CaptureReader(second))


@pytest.mark.parametrize("limit", [{"queue": 100}, {"queue_bytes": 1000}])
def test_a_tap_that_is_not_emptied_stays_small_and_loses_nothing_of_qos_1(
    broker: BrokerConfig, limit: dict[str, int]
) -> None:
    impatient = broker.model_copy(update={"keepalive_s": 1})
    with closing(MqttTap(impatient, ["much/#"], **limit)) as tap:
        publish(broker, [("much/1", b"%010d" % number, 1, False) for number in range(5000)])

        def overflows() -> bool:
            publish(broker, [("much/0", b"0", 0, False)] * 500)
            return tap.overflowed > 0

        eventually(overflows, "messages of QoS 0 that have no room")
        found = [one for one in tap.receive(0.5) if one.qos]
        assert len(found) <= 100 + 200 + 1000  # the queue, what is read at once, what may come unacknowledged
        eventually(lambda: found.extend(one for one in tap.receive(0.1) if one.qos) or len(found) >= 5000, "all")
    assert [int(one.payload) for one in found] == list(range(5000))


def test_a_broker_that_says_no_is_asked_once(mosquitto_with_password: BrokerConfig) -> None:
    stranger = mosquitto_with_password.model_copy(update={"username": "", "password_env": ""})
    with pytest.raises(Refused, match="not authorised without a user name") as caught:
        open_tap(stranger, ["#"], None)
    assert not caught.value.other_version
    assert caught.value.__context__ is None  # nothing was tried before


def test_a_broker_that_hangs_up_on_mqtt_5_is_asked_in_3_1_1(mosquitto: BrokerConfig) -> None:
    with only_old(mosquitto) as old, closing(open_tap(old, ["#"], None)) as tap:
        assert tap.config.version == 3


def test_gaps_are_kept_at_the_speed_asked_for_and_topics_renamed(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    capture = tmp_path / "gaps.jsonl"
    lines = [{"format": "anomgan capture", "version": 1}]
    lines += [
        {"time_ns": 10**18 + gap * 10**9, "topic": f"old/{gap}", "qos": 1, "retain": False, "text": str(gap)}
        for gap in (0, 4, 5, 8)
    ]
    capture.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with closing(MqttTap(mosquitto, ["new/#"])) as tap:
        arguments = ["--broker", address(mosquitto), "--speed", "10", "--rename", "old/=new/", "--rows", "1:"]
        done = anomgan(tmp_path, "simulate", "--replay", str(capture), *arguments)
        assert done.returncode == 0, done.stderr
        found: list[Recorded] = []

        def came() -> bool:
            found.extend(tap.receive(0.1))
            return len(found) >= 3

        eventually(came, "three messages")
    assert [one.topic for one in found] == ["new/4", "new/5", "new/8"]
    gaps = [(one.time_ns - found[0].time_ns) / 1e9 for one in found]
    assert gaps[1] >= 0.09
    assert gaps[2] >= 0.39


def test_killed_it_leaves_a_file_that_can_be_read_and_played(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    for out in (tmp_path / "killed.jsonl", tmp_path / "killed.jsonl.gz"):
        recorder = recording(tmp_path, mosquitto, out, "--topic", f"{out.suffix}/#")
        publish(mosquitto, [(f"{out.suffix}/{number}", bytes([number]), 1, False) for number in range(100)])
        await_messages(out, 100)
        recorder.process.kill()
        recorder.process.wait(PATIENCE_S)
        with out.open("r+b") as file:
            file.truncate(out.stat().st_size - 9)
        done = anomgan(tmp_path, "simulate", "--replay", str(out), "--broker", address(mosquitto), "--speed", "max")
        assert done.returncode == 0, done.stderr
        played = 99 if out.suffix == ".jsonl" else len(list(CaptureReader(out)))
        assert done.stdout.startswith(f"{played} messages")
        assert 90 <= played <= 100
        assert "torn off after" in done.stderr


def test_for_a_time_with_a_password_and_only_some_topics(mosquitto_with_password: BrokerConfig, tmp_path: Path) -> None:
    broker, out = mosquitto_with_password, tmp_path / "some.jsonl"
    access = ["--username", broker.username, "--password-env", broker.password_env]
    recorder = recording(tmp_path, broker, out, *access, "--topic", "a/#", "--topic", "b/+", "--for", "2s")
    publish(broker, [("a/1/2", b"1", 0, False), ("b/1/2", b"2", 1, False), ("b/1", b"3", 2, False)])
    assert recorder.process.wait(PATIENCE_S) == 0
    assert content(out) == [("a/1/2", b"1", 0, False), ("b/1", b"3", 2, False)]
    stranger = anomgan(tmp_path, "record", address(broker), "--out", str(tmp_path / "none.jsonl"))
    assert stranger.returncode == 2
    assert "not authorised without a user name" in stranger.stderr
    assert not (tmp_path / "none.jsonl").exists()


def test_a_stopped_replay_has_delivered_what_it_counted(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    capture, summary = tmp_path / "long.jsonl", tmp_path / "summary.json"
    lines = [{"format": "anomgan capture", "version": 1}]
    lines += [
        {"time_ns": 10**18 + n * 10**7, "topic": "long", "qos": 1, "retain": False, "text": str(n)} for n in range(9999)
    ]
    capture.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["--broker", address(mosquitto), "--summary", str(summary)]
    found: list[Recorded] = []
    with closing(MqttTap(mosquitto, ["long"])) as tap:
        replaying = command(["simulate", "--replay", capture, *arguments])
        with subprocess.Popen(replaying, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            eventually(lambda: found.extend(tap.receive(0.1)) or len(found) > 20, "some messages")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=40)
        totals = json.loads(summary.read_text())
        eventually(lambda: found.extend(tap.receive(0.1)) or len(found) >= totals["messages_published"], "all of them")
    assert process.returncode == 0, err
    assert out.startswith("stopped: ")
    assert totals["stopped"]
    assert len(found) == totals["messages_published"] < 9999
