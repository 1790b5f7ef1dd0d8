"""Many connections to a broker that does not answer: nothing waits for ever, nothing is said too late or uncounted."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scripted_broker import CONNECT, PINGREQ, ScriptedBroker
from servers import eventually

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.config import BrokerConfig
from anomgan.errors import DataError

RECEIVE_MAXIMUM, SERVER_KEEP_ALIVE, MAXIMUM_PACKET_SIZE = b"\x21", b"\x13", b"\x27"


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with closing(ScriptedBroker()) as broker:
        yield broker


def config(broker: ScriptedBroker, **keys: float) -> BrokerConfig:
    version = broker.version
    return BrokerConfig(host="127.0.0.1", port=broker.port, version=version, keepalive_s=3600).model_copy(update=keys)


def two(broker: ScriptedBroker, **keys: float) -> MqttFleet:
    """A fleet of `a`, which says how it is, and `b`."""
    return MqttFleet(config(broker, **keys), [Wish("b"), Wish("a", status_topic="s/a")], patience_s=0.3)


def test_what_nobody_acknowledged_is_lost_with_its_client_and_not_waited_for(broker: ScriptedBroker) -> None:
    with closing(two(broker)) as fleet:
        assert fleet.flush(10.0)
        broker.mute = True
        fleet.publish("t", b"1", by=1)
        fleet.leave(1, goodbye=False)
        assert (fleet.lost, fleet.unacknowledged) == (1, 0)
        assert fleet.flush(10.0)
        broker.mute = False
        fleet.join(1)
        assert (fleet.lost, fleet.unacknowledged) == (0, 1)  # it is sent again
        assert fleet.flush(10.0)
        assert broker.published("t") == [b"1", b"1"]
        assert (fleet.lost, fleet.unacknowledged) == (0, 0)


def test_what_is_acknowledged_after_its_client_was_told_to_leave_is_not_lost(broker: ScriptedBroker) -> None:
    with closing(two(broker)) as fleet:
        assert fleet.flush(10.0)
        fleet.publish("t", b"1", by=1)
        fleet.leave(1, goodbye=True)
        assert broker.published("s/a") == [b"online", b"offline"]
        assert (fleet.lost, fleet.unacknowledged) == (0, 0)


def test_who_comes_back_is_online_last_of_all_even_if_its_offline_is_sent_again(broker: ScriptedBroker) -> None:
    with closing(two(broker)) as fleet:
        assert fleet.flush(10.0)
        broker.mute = True
        fleet.leave(1, goodbye=True)  # which nobody acknowledges
        assert broker.published("s/a") == [b"online", b"offline"]
        broker.mute = False
        fleet.join(1)
        assert fleet.wait(20.0, lambda: len(broker.published("s/a")) == 4)
        assert broker.published("s/a") == [b"online", b"offline", b"offline", b"online"]


def test_a_broker_never_gets_more_at_a_time_than_it_takes_when_a_client_comes_back() -> None:
    with closing(ScriptedBroker(RECEIVE_MAXIMUM + b"\0\2")) as broker, closing(two(broker)) as fleet:
        assert fleet.flush(10.0)
        broker.mute = True
        fleet.publish("t", b"1", by=1)
        fleet.publish("t", b"2", by=1)
        assert fleet.wait(20.0, lambda: len(broker.published("t")) == 2)
        broker.cut()
        assert fleet.wait(20.0, lambda: len(broker.published("t")) == 4)
        broker.mute = False
        broker.cut()
        assert fleet.wait(20.0, lambda: len(broker.published("s/a")) == 2)
        assert broker.published("t") == [b"1", b"2"] * 3
        assert broker.most_open == 2


def test_a_client_lives_by_the_keepalive_that_its_broker_asks_for() -> None:
    with closing(ScriptedBroker(SERVER_KEEP_ALIVE + b"\0\1")) as broker, closing(two(broker)) as fleet:
        assert fleet.wait(20.0, lambda: PINGREQ in [one.kind for one in broker.heard])


def test_an_attempt_that_is_not_answered_is_given_up_after_its_time_and_says_why(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(two(broker, connect_timeout_s=0.3)) as fleet:
        broker.deaf = True
        broker.cut()
        assert fleet.wait(20.0, lambda: len([one for one in broker.heard if one.kind == CONNECT]) > 4)
        broker.deaf = False
        assert fleet.wait(20.0, lambda: fleet.complete)
    assert "no answer within 0.3 s" in caplog.text
    assert "closed the connection at once" not in caplog.text


def test_a_message_of_qos_0_is_lost_once(broker: ScriptedBroker) -> None:
    with closing(two(broker)) as fleet:
        assert fleet.flush(10.0)
        broker.cut()
        while not fleet.lost:
            fleet.publish("t", b"1", qos=0)  # the connection ends while one is handed over
        assert fleet.wait(20.0, lambda: fleet.complete)
        broker.cut()
        assert fleet.wait(20.0, lambda: not fleet.complete)
        assert fleet.lost == 1


def test_a_message_may_be_as_large_as_the_broker_says_to_the_byte() -> None:
    with closing(ScriptedBroker(MAXIMUM_PACKET_SIZE + b"\0\0\1\0")) as broker, closing(two(broker)) as fleet:
        fleet.publish("t" * 200, b"x" * 46)
        with pytest.raises(DataError, match="47 bytes, more than"):
            fleet.publish("t" * 200, b"x" * 47)
        with pytest.raises(DataError, match="46 bytes, more than"):
            fleet.publish("ä" * 101, b"x" * 46)
        with pytest.raises(DataError, match="topic"):
            fleet.publish("t\ud800", b"x")


def test_it_publishes_by_its_first_client_whoever_else_is_away(broker: ScriptedBroker) -> None:
    with closing(MqttFleet(config(broker), [Wish("a"), Wish("b")], absent=frozenset({1}))) as fleet:
        assert fleet.complete
        broker.deaf = True
        fleet.join(1)
        assert fleet.connected
        assert not fleet.complete


def test_who_is_told_to_stop_waits_for_no_connection(broker: ScriptedBroker) -> None:
    broker.deaf = True
    with closing(MqttFleet(config(broker), [Wish("a")], stopped=lambda: True)) as fleet:
        assert not fleet.complete
        fleet.publish("t", b"1")
        assert fleet.lost == 1


def test_who_is_told_to_stop_waits_for_no_leaving(broker: ScriptedBroker) -> None:
    stopped = False
    wishes = [Wish("a"), Wish("b")]
    with closing(MqttFleet(config(broker), wishes, patience_s=3600.0, stopped=lambda: stopped)) as fleet:
        broker.mute = True
        fleet.publish("t", b"1", by=1)
        stopped = True
        fleet.leave(1, goodbye=False)
        assert (fleet.complete, fleet.unacknowledged, fleet.lost) == (True, 1, 0)


def test_a_simulator_that_is_told_to_stop_while_it_connects_ends_at_once(
    broker: ScriptedBroker, tmp_path: Path
) -> None:
    file = tmp_path / "plant.toml"
    file.write_text(f"""
        broker = {{ port = {broker.port}, connect_timeout_s = 3600 }}
        devices = [{{ kind = "pump", name = "pump-", count = 3, site = "north" }}]
        network = {{ connection = "device" }}
    """)
    broker.deaf = True
    arguments = [sys.executable, "-m", "anomgan_cli", "simulate", str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: broker.heard, "an attempt to connect", 60.0)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("stopped: 0 messages")
