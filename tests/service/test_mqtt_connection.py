"""What befalls connections to a real mosquitto in the course of a year: silence, forgetting, other versions, limits."""

import logging
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from proxy import Proxy
from servers import Mosquitto, eventually, free_port, require

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.mqtt import MqttPublisher, MqttSource, check_broker
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.errors import DataError, Refused, Unreachable

FLEET = [("plant/#", 1)]


@pytest.fixture(params=[3, 5], ids=["3.1.1", "5"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    lines = ["allow_anonymous true", "log_type all"]
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto"), lines, request.param)
    server.start()
    yield server
    server.stop()


def started(folder: Path, *lines: str) -> Mosquitto:
    server = Mosquitto(folder, ["allow_anonymous true", *lines], version=5)
    server.start()
    return server


def changed(config: BrokerConfig, **changes: object) -> BrokerConfig:
    return config.model_copy(update=changes)


def publish(config: BrokerConfig, topic: str, *payloads: bytes) -> None:
    with closing(MqttPublisher(changed(config, client_id=""))) as publisher:
        for payload in payloads:
            publisher.publish(topic, payload)
        assert publisher.flush(20.0)


def take(source: MqttSource, count: int) -> list[Message]:
    messages: list[Message] = []

    def enough() -> bool:
        some = source.receive(count - len(messages), 0.1)
        source.acknowledge(some)
        messages.extend(some)
        return len(messages) == count

    eventually(enough, f"{count} messages")
    return messages


# ---------------------------------------------------------------- silence


def test_a_broker_that_stops_answering_is_given_up_and_found_again(server: Mosquitto) -> None:
    config = changed(server.config, client_id="detector", keepalive_s=2, connect_timeout_s=1.0)
    with closing(MqttSource(config, FLEET)) as source:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)  # the connection stays, and nobody says anything
        try:
            eventually(lambda: not source.connected, "the silence is noticed")
            assert "no answer within" in source.reason
            eventually(
                lambda: "no answer within 1 s" in source.reason, "a connection that nobody accepts is given up too"
            )
        finally:
            server.process.send_signal(signal.SIGCONT)
        eventually(lambda: source.connected, "connected again")
        publish(server.config, "plant/p1", b"1", b"2")
        assert [message.payload for message in take(source, 2)] == [b"1", b"2"]


def test_a_line_that_swallows_everything_is_given_up_and_nothing_is_lost(server: Mosquitto) -> None:
    with closing(Proxy(server.port)) as proxy:
        config = changed(server.config, port=proxy.port, client_id="detector", keepalive_s=2, connect_timeout_s=1.0)
        with closing(MqttSource(config, FLEET)) as source, closing(MqttPublisher(config, "teller")) as publisher:
            publisher.publish("plant/p1", b"0")
            assert [message.payload for message in take(source, 1)] == [b"0"]
            proxy.swallow()
            publisher.publish("plant/p1", b"1")  # is swallowed
            eventually(lambda: not source.connected and not publisher.connected, "both notice")
            publish(server.config, "plant/p1", b"2")
            proxy.flow()
            eventually(lambda: source.connected and publisher.connected, "both come back")
            assert publisher.flush(10.0)
            seen: set[bytes] = set()

            def all_came() -> bool:
                seen.update(message.payload for message in take(source, 1))
                return seen >= {b"1", b"2"}  # and perhaps 0 again, whose acknowledgement was swallowed

            eventually(all_came, "both messages")


def test_a_quiet_broker_that_answers_is_not_given_up(server: Mosquitto) -> None:
    config = changed(server.config, keepalive_s=1)
    with closing(MqttSource(config, FLEET)) as source, closing(MqttPublisher(config)) as publisher:
        eventually(lambda: server.log.read_text().count("Received PINGREQ") >= 6, "both ask again and again")
        assert (source._connection.generation, publisher._connection.generation) == (1, 1)


def test_a_broker_that_is_away_for_long_is_not_hammered(server: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    attempts = 0
    with closing(MqttSource(server.config, FLEET)) as source:
        connect = source._connection._connect

        def count() -> None:
            nonlocal attempts
            attempts += 1
            connect()

        source._connection._connect = count  # type: ignore[method-assign]  # watched, not replaced
        server.kill()
        eventually(lambda: attempts == 4, "some attempts")  # at most 0.2 + 0.4 + 0.8 + 1.6 s, by half less
        source.acknowledge([Message("plant/p1", b"", (1, 1, 1))] * 50)  # what there is to say cannot hurry it
        said = [record for record in caplog.records if "connection refused" in record.message]
        assert len(said) == 1
        server.start()
        eventually(lambda: source.connected, "connected again")
    assert attempts <= 6


# ---------------------------------------------------------------- sessions


def test_a_session_outlives_its_connection_and_one_without_an_id_does_not(server: Mosquitto) -> None:
    kept = changed(server.config, client_id="detector")
    MqttSource(kept, FLEET).close()
    MqttSource(server.config, FLEET).close()
    publish(server.config, "plant/p1", b"1")
    with closing(MqttSource(server.config, FLEET)) as source:
        assert source.receive(1, 0.3) == []
    with closing(MqttSource(kept, FLEET)) as source:
        assert [message.payload for message in take(source, 1)] == [b"1"]


def test_a_session_expires_when_it_was_asked_to(tmp_path: Path) -> None:
    server = started(tmp_path)
    config = changed(server.config, client_id="detector", session_expiry_s=1)
    MqttSource(config, FLEET).close()
    eventually(lambda: "Expiring client detector" in server.log.read_text(), "the broker forgets it")
    publish(server.config, "plant/p1", b"1")
    with closing(MqttSource(config, FLEET)) as source:
        assert source.receive(1, 0.3) == []
    server.stop()


def test_a_broker_that_has_forgotten_the_session_is_told_of(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    config = changed(server.config, client_id="detector")
    with closing(MqttSource(config, FLEET)) as source:
        assert source.liveness()[0].forgotten == 0
        server.kill()  # it has no persistence
        eventually(lambda: not source.connected, "the loss is seen")
        server.start()
        eventually(lambda: source.connected, "connected again")
        (liveness,) = source.liveness()
        assert (liveness.connections, liveness.forgotten) == (2, 1)
    assert "it has forgotten the session of client id 'detector'" in caplog.text
    caplog.clear()
    with closing(MqttSource(config, FLEET, former=["plant/#"])) as source:
        assert source.liveness()[0].forgotten == 0
    server.kill()
    server.start()
    with closing(MqttSource(config, FLEET, former=["plant/#"])) as source:  # it remembers, the broker does not
        assert source.liveness()[0].forgotten == 1


def test_what_is_no_longer_wanted_is_unsubscribed_from_when_a_session_is_taken_up(server: Mosquitto) -> None:
    config = changed(server.config, client_id="detector")
    MqttSource(config, [("plant/#", 1), ("old/#", 1), ("older", 1)]).close()
    publish(server.config, "old/x", b"kept for us until now")
    with closing(MqttSource(config, FLEET, former=["plant/#", "old/#", "older"])) as source:
        assert [message.topic for message in take(source, 1)] == ["old/x"]
        publish(server.config, "old/x", b"1")
        publish(server.config, "older", b"2")
        publish(server.config, "plant/x", b"3")
        assert [message.topic for message in take(source, 1)] == ["plant/x"]
    publish(server.config, "old/x", b"4")
    with closing(MqttSource(config, FLEET, former=["plant/#"])) as source:
        assert source.receive(1, 0.3) == []


def test_leaving_waits_for_its_own_farewell_and_not_for_another_unsubscription(server: Mosquitto) -> None:
    config = changed(server.config, client_id="detector")
    publish_to = server.config
    MqttSource(config, FLEET).close()
    publish(publish_to, "plant/p1", *(b"%d" % number for number in range(800)))
    with closing(MqttSource(config, FLEET, former=["old/#"])) as source:
        take(source, 800)
    with closing(MqttSource(config, FLEET)) as source:
        assert source.receive(1, 0.3) == []


def test_two_clients_of_one_id_are_told_of_each_other(server: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    config = changed(server.config, client_id="detector")
    with closing(MqttSource(config, FLEET)) as first, closing(MqttSource(config, FLEET)):
        eventually(lambda: "does another client use the client id 'detector'?" in caplog.text, "it says why")
        assert first._connection.where in caplog.text


# ---------------------------------------------------------------- versions and limits


@pytest.mark.skipif(LocalBroker(prefer="amqtt").name != "amqtt", reason="amqtt is not installed")
def test_a_broker_that_speaks_only_3_1_1_is_told_from_one_that_is_away() -> None:
    with LocalBroker(prefer="amqtt") as broker:
        check_broker(broker.config)
        with pytest.raises(
            (Refused, Unreachable), match=r"does it speak MQTT 5\? version = 3 is MQTT 3\.1\.1"
        ) as caught:
            check_broker(changed(broker.config, version=5, connect_timeout_s=3.0))
        assert "\n" not in str(caught.value)


def test_a_broker_s_window_is_kept_so_that_it_does_not_throw_us_out(tmp_path: Path) -> None:
    server = started(tmp_path, "max_inflight_messages 7")
    with closing(MqttSource(server.config, FLEET)) as source, closing(MqttPublisher(server.config)) as publisher:
        for number in range(500):
            publisher.publish("plant/p1", b"%d" % number)
            assert len(publisher._open) <= 7
        assert publisher.flush(20.0)
        assert publisher._connection.generation == 1
        assert len(take(source, 500)) == 500
    server.stop()


def test_our_window_is_what_the_broker_may_leave_unacknowledged(tmp_path: Path) -> None:
    server = started(tmp_path, "max_inflight_messages 20")  # its default, too small for a batch
    with closing(MqttSource(server.config, FLEET, queue=300)) as source:
        publish(server.config, "plant/p1", *(b"%d" % number for number in range(500)))
        first = [message for _ in range(5) for message in source.receive(500, 0.3)]
        assert len(first) == 300
        source.acknowledge(first)
        assert len(take(source, 200)) == 200
    server.stop()


def test_what_is_larger_than_the_broker_takes_is_refused_here_and_disturbs_nothing(tmp_path: Path) -> None:
    server = started(tmp_path, "max_packet_size 1000")
    with closing(MqttSource(server.config, FLEET)) as source, closing(MqttPublisher(server.config)) as publisher:
        fits = 1000 - len("plant/p1") - 10
        publisher.publish("plant/p1", b"x" * fits)
        with pytest.raises(DataError, match="more than MQTT broker 127"):
            publisher.publish("plant/p1", b"x" * (fits + 1))
        publisher.publish("plant/p1", b"small")
        assert publisher.flush(10.0)
        assert publisher._connection.generation == 1
        assert [len(message.payload) for message in take(source, 2)] == [fits, 5]
    server.stop()


def test_a_broker_that_grants_less_than_asked_is_told_of_and_published_to_as_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = started(tmp_path, "max_qos 0")
    with (
        caplog.at_level(logging.WARNING),
        closing(MqttSource(server.config, FLEET)) as source,
        closing(MqttPublisher(server.config)) as publisher,
    ):
        publisher.publish("plant/p1", b"1", qos=2)
        assert publisher.flush(10.0)
        assert [message.payload for message in take(source, 1)] == [b"1"]
        assert publisher._connection.generation == 1
    assert "it grants less than asked for: plant/# (QoS 0)" in caplog.text
    with pytest.raises(Refused, match="qos not supported"):
        MqttSource(server.config, FLEET, status_topic="anomgan/status")  # a last will has QoS 1
    server.stop()


def test_a_password_that_is_changed_is_taken_at_the_next_connection(server: Mosquitto, tmp_path: Path) -> None:
    server.stop()
    passwords, mine = tmp_path / "passwords", tmp_path / "mine"
    passwords.touch(mode=0o600)
    hasher = [require("mosquitto_passwd"), "-b", str(passwords), "plant"]
    subprocess.run([*hasher, "olive"], check=True, capture_output=True)
    mine.write_text("olive\n")
    guarded = Mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}"], version=server.version)
    guarded.start()
    config = changed(guarded.config, username="plant", password_file=str(mine), client_id="detector")
    with closing(MqttSource(config, FLEET)) as source:
        guarded.stop()
        subprocess.run([*hasher, "fig"], check=True, capture_output=True)
        guarded.start()
        eventually(lambda: "bad user name or password for user 'plant'" in source.reason, "the old one is refused")
        mine.unlink()
        eventually(lambda: "broker.password_file: cannot read" in source.reason, "there is none for a moment")
        mine.write_text("fig\n")
        eventually(lambda: source.connected, "the new one is taken")
    guarded.stop()


def test_a_broker_that_may_be_away_is_found_when_it_comes(server: Mosquitto) -> None:
    server.kill()
    with pytest.raises(Unreachable):
        MqttSource(server.config, FLEET)
    with (
        closing(MqttSource(server.config, FLEET, may_be_away=True)) as source,
        closing(MqttPublisher(server.config, may_be_away=True, patience_s=0.1)) as publisher,
    ):
        assert not source.connected
        assert "connection refused" in source.liveness()[0].reason
        with pytest.raises(Unreachable, match="connection refused"):
            publisher.publish("plant/p1", b"1")
        server.start()
        eventually(lambda: source.connected and publisher.connected, "both connect")
        publisher.publish("plant/p1", b"2")
        assert [message.payload for message in take(source, 1)] == [b"2"]


def test_one_that_refuses_us_is_an_error_wherever_it_may_be(
    mosquitto_with_password: BrokerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    for version in (3, 5):
        with pytest.raises(Refused, match="bad user name or password for user 'plant'"):
            MqttSource(changed(mosquitto_with_password, version=version), FLEET, may_be_away=True)
        with pytest.raises(Refused, match="not authorised without a user name"):
            check_broker(changed(mosquitto_with_password, version=version, username=""))


def test_liveness_says_since_when_and_when_the_last_message_came(server: Mosquitto) -> None:
    now = [1000.0]
    with closing(MqttSource(server.config, FLEET, clock=lambda: now[0])) as source:
        (begun,) = source.liveness()
        assert (begun.connected, begun.reason, begun.last_message_s, begun.connections) == (True, "", None, 1)
        assert 990.0 < begun.since_s <= 1000.0
        publish(server.config, "plant/p1", b"1")
        (message,) = eventually(lambda: source.receive(1, 0.1), "a message")
        now[0] = 5000.0
        assert source.liveness()[0].last_message_s == 5000.0  # it is we who have not dealt with it yet
        source.acknowledge([message])
        assert source.liveness()[0].last_message_s == 1000.0
        server.kill()
        eventually(lambda: not source.connected, "the loss is seen")
        (lost,) = source.liveness()
        assert lost.where == f"MQTT broker 127.0.0.1:{server.port}"
        assert lost.reason
        assert lost.since_s > begun.since_s


def test_an_address_where_nobody_is_names_the_broker_by_its_name() -> None:
    from anomgan.config import NamedBrokerConfig

    config = NamedBrokerConfig(name="north", host="127.0.0.1", port=free_port())
    with pytest.raises(Unreachable, match=rf"MQTT broker north \(127\.0\.0\.1:{config.port}\): connection refused"):
        check_broker(config)
