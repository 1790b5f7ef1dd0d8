"""MQTT source and publisher against a real mosquitto, in MQTT 3.1.1 and 5, and a scripted peer where no real broker
misbehaves so."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from proxy import Proxy
from servers import Mosquitto, eventually, free_port

from anomgan.adapters.mqtt import MqttPublisher, MqttSource, check_broker
from anomgan.adapters.mqtt_read_ahead import ReadAhead
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, DataError, Refused, Unreachable

FLEET = [("plant/#", 1)]


@pytest.fixture(params=[3, 5], ids=["3.1.1", "5"])
def mosquitto_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker whose clients speak the one version and the other; `mosquitto` is its address."""
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto"), version=request.param)
    server.start()
    yield server
    server.stop()


def receive_all(source: MqttSource, count: int, timeout_s: float = 20.0, acknowledge: bool = True) -> list[Message]:
    """`count` messages; fewer where no more come in time. Unacknowledged, no more than 1,000 come."""
    messages: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while len(messages) < count and time.monotonic() < deadline:
        some = source.receive(count - len(messages), 0.1)
        messages += some
        if acknowledge:
            source.acknowledge(some)
    return messages


def crash(source: MqttSource) -> None:
    """What the broker sees when the process is killed."""
    sock = source._connection.client.socket()
    assert isinstance(sock, ReadAhead)
    source._connection._closing = True  # the thread must not come back
    sock.shutdown(socket.SHUT_RDWR)
    eventually(lambda: not source._connection._thread.is_alive(), "the thread has ended")


def publish_numbers(config: BrokerConfig, numbers: range, qos: int = 1) -> None:
    with closing(MqttPublisher(config)) as publisher:
        for number in numbers:
            publisher.publish("plant/p1", str(number).encode(), qos=qos)
        assert publisher.flush(20.0)


def numbers_of(messages: Sequence[Message]) -> list[int]:
    return [int(message.payload) for message in messages]


def with_id(config: BrokerConfig, client_id: str = "detector") -> BrokerConfig:
    return config.model_copy(update={"client_id": client_id})


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_published_arrives_in_order(mosquitto: BrokerConfig, qos: int) -> None:
    with closing(MqttSource(mosquitto, [("plant/#", qos)])) as source:
        publish_numbers(mosquitto, range(3000), qos)
        messages = receive_all(source, 3000)
    assert numbers_of(messages) == list(range(3000))
    assert {message.topic for message in messages} == {"plant/p1"}


def test_receive_gives_an_empty_list_when_time_runs_out(mosquitto: BrokerConfig) -> None:
    with closing(MqttSource(mosquitto, FLEET)) as source:
        assert source.receive(10, 0.05) == []
        assert source.last_message_s is None


def test_liveness_is_the_time_of_the_last_message(mosquitto: BrokerConfig) -> None:
    with closing(MqttSource(mosquitto, FLEET, clock=lambda: 1.7e9)) as source:
        publish_numbers(mosquitto, range(1))
        assert len(receive_all(source, 1)) == 1
        assert source.last_message_s == 1.7e9


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_receive_gives_no_more_than_the_limit(mosquitto: BrokerConfig, limit: int) -> None:
    with closing(MqttSource(mosquitto, FLEET)) as source:
        publish_numbers(mosquitto, range(50))
        eventually(lambda: len(source._waiting) == 50, "50 messages wait")
        assert numbers_of(source.receive(limit, 1.0)) == list(range(min(limit, 50)))


def test_unacknowledged_messages_come_again_to_the_next_process_with_the_same_id(mosquitto: BrokerConfig) -> None:
    config = with_id(mosquitto)
    crashed = MqttSource(config, FLEET)
    publish_numbers(mosquitto, range(10))
    first = receive_all(crashed, 10, acknowledge=False)
    crashed.acknowledge(first[:4])
    eventually(lambda: not crashed._acknowledged, "acknowledgements have been handed over")
    publish_numbers(mosquitto, range(10, 11))  # when it arrives, the turn that handed them over has ended
    receive_all(crashed, 1, acknowledge=False)
    eventually(lambda: not crashed._connection.client.want_write(), "acknowledgements have left")
    crash(crashed)
    with closing(MqttSource(config, FLEET)) as successor:
        again = receive_all(successor, 7)
    assert sorted(numbers_of(again)) == [4, 5, 6, 7, 8, 9, 10]
    with closing(MqttSource(config, FLEET)) as third:
        assert third.receive(10, 0.3) == []


def test_what_is_acknowledged_just_before_closing_never_comes_again(mosquitto: BrokerConfig) -> None:
    config = with_id(mosquitto)
    with closing(MqttSource(config, FLEET)) as source:
        publish_numbers(mosquitto, range(5000))
        first = receive_all(source, 1200)
    with closing(MqttSource(config, FLEET)) as successor:
        rest = receive_all(successor, 3800)
        assert successor.receive(10, 0.3) == []
    assert sorted(numbers_of([*first, *rest])) == list(range(5000))


def test_messages_published_while_away_are_kept_by_the_broker(mosquitto: BrokerConfig) -> None:
    config = with_id(mosquitto)
    MqttSource(config, FLEET).close()
    publish_numbers(mosquitto, range(5000))
    with closing(MqttSource(config, FLEET)) as source:
        messages = receive_all(source, 5000)
    assert numbers_of(messages) == list(range(5000))


def test_a_full_queue_loses_no_acknowledged_quality_message(mosquitto: BrokerConfig) -> None:
    with closing(MqttSource(mosquitto, FLEET, queue=100)) as source:
        publish_numbers(mosquitto, range(3000))
        messages = []
        while len(messages) < 3000:
            assert len(source._waiting) <= 100 + 200
            some = receive_all(source, 50)
            assert some, f"only {len(messages)} came"
            messages += some
        assert source.overflowed == 0
    assert numbers_of(messages) == list(range(3000))


def test_a_full_queue_drops_only_unacknowledged_quality_and_counts_it(mosquitto: BrokerConfig) -> None:
    impatient = mosquitto.model_copy(update={"keepalive_s": 1})
    with closing(MqttSource(impatient, [("plant/#", 0)], queue=100)) as source:
        publish_numbers(mosquitto, range(3000), qos=0)
        eventually(lambda: source.overflowed > 0, "some overflowed")
        waiting = len(source._waiting)
        total = eventually(
            lambda: source.overflowed + waiting if source.overflowed + waiting == 3000 else 0, "all seen"
        )
        assert source.connected
    assert total == 3000


def test_connection_survives_a_caller_who_is_busy_for_longer_than_the_keepalive(mosquitto_server: Mosquitto) -> None:
    config = mosquitto_server.config.model_copy(update={"keepalive_s": 1})
    with closing(MqttSource(config, FLEET)) as source:
        threading.Event().wait(3.0)  # twice the time after which the broker gives a silent client up
        assert source.connected
        assert source._connection.generation == 1


def test_after_a_broker_restart_it_subscribes_again_and_old_tokens_acknowledge_nothing(
    mosquitto_server: Mosquitto,
) -> None:
    config = with_id(mosquitto_server.config)
    with closing(MqttSource(config, FLEET)) as source:
        publish_numbers(config.model_copy(update={"client_id": ""}), range(3))
        stale = receive_all(source, 3, acknowledge=False)
        mosquitto_server.kill()
        eventually(lambda: not source.connected, "the loss is seen")
        assert source.reason.startswith(f"MQTT broker 127.0.0.1:{config.port}: ")
        mosquitto_server.start()
        eventually(lambda: source.connected, "connected again")
        assert source.reason == ""
        eventually(lambda: source._connection.generation == 2, "a second connection")
        publish_numbers(mosquitto_server.config, range(10, 13))
        fresh = receive_all(source, 3, acknowledge=False)
        source.acknowledge(stale)  # the same message ids as the fresh ones have
        assert [token[1] for token in map(_token, stale)] == [token[1] for token in map(_token, fresh)]
        eventually(lambda: not source._acknowledged, "acknowledgements looked at")
    with closing(MqttSource(config, FLEET)) as successor:
        assert numbers_of(receive_all(successor, 3)) == [10, 11, 12]


def _token(message: Message) -> tuple[int, int, int]:
    assert isinstance(message.token, tuple)
    return message.token


def test_publisher_sends_again_what_was_under_way_when_the_broker_went_down(mosquitto_server: Mosquitto) -> None:
    config = mosquitto_server.config
    with closing(MqttPublisher(config)) as publisher, closing(MqttSource(config, FLEET)) as source:
        mosquitto_server.kill()
        publisher._connection.client.publish("plant/p1", b"7", 1)  # before the loss is noticed
        eventually(lambda: not publisher.connected, "the loss is seen")
        mosquitto_server.start()
        eventually(lambda: publisher.connected and source.connected, "both are back")
        publisher.publish("plant/p1", b"8")
        assert publisher.flush(10.0)
        eventually(lambda: source._count >= 1, "something arrives")
        assert 8 in numbers_of(receive_all(source, 2, timeout_s=2.0))


def test_publisher_waits_for_room_and_then_says_the_broker_is_away(mosquitto_server: Mosquitto) -> None:
    with closing(MqttPublisher(mosquitto_server.config, in_flight=5, patience_s=0.3)) as publisher:
        mosquitto_server.kill()
        where = f"MQTT broker 127.0.0.1:{mosquitto_server.port}"
        with pytest.raises(Unreachable, match=where):  # noqa: PT012 which of the calls raises is up to the kernel
            for _ in range(50):
                publisher.publish("plant/p1", b"1")
        assert len(publisher._open) <= 5


@pytest.mark.parametrize("topic", ["", "plant/+/x", "plant/#", "x" * 70_000])
def test_a_topic_that_mqtt_does_not_allow_is_an_error_and_not_a_lost_connection(
    mosquitto: BrokerConfig, topic: str
) -> None:
    with closing(MqttPublisher(mosquitto)) as publisher:
        with pytest.raises(DataError, match="topic"):
            publisher.publish(topic, b"1")
        publisher.publish("plant/p1", b"1")
        assert publisher.flush(5.0)


def test_status_is_retained_and_turns_offline_on_leaving_and_on_a_crash(mosquitto_server: Mosquitto) -> None:
    config = mosquitto_server.config

    def status() -> bytes:
        with closing(MqttSource(config, [("anomgan/status", 1)])) as reader:
            messages = reader.receive(1, 5.0)
            assert messages
            assert messages[0].retained
            return messages[0].payload

    source = MqttSource(config, FLEET, status_topic="anomgan/status")
    eventually(lambda: status() == b"online", "online after start")
    source.close()
    assert status() == b"offline"

    crashing = MqttSource(config, FLEET, status_topic="anomgan/status")
    eventually(lambda: status() == b"online", "online after start")
    crash(crashing)
    eventually(lambda: status() == b"offline", "the will speaks")


def test_closing_twice_is_allowed(mosquitto: BrokerConfig) -> None:
    source, publisher = MqttSource(mosquitto, FLEET), MqttPublisher(mosquitto)
    for _ in range(2):
        source.close()
        publisher.close()
    assert not source.connected


def test_right_password_gets_in_and_a_wrong_one_is_refused_by_name(
    mosquitto_with_password: BrokerConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = mosquitto_with_password
    assert "user 'plant'" in check_broker(config)
    (tmp_path / "secret").write_text("olive tree\n")
    check_broker(config.model_copy(update={"password_env": "", "password_file": str(tmp_path / "secret")}))
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    with pytest.raises(Refused, match=r"127\.0\.0\.1.*bad user name or password for user 'plant'"):
        MqttSource(config, FLEET)
    monkeypatch.delenv("PLANT_PASSWORD")
    with pytest.raises(ConfigError, match=r"broker\.password_env: .*PLANT_PASSWORD is not set"):
        MqttPublisher(config)


def test_nobody_there_is_unreachable_with_where_and_why() -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=f"MQTT broker 127.0.0.1:{port}: connection refused"):
        check_broker(BrokerConfig(host="127.0.0.1", port=port))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".example", "bad host"])
def test_an_unknown_host_is_unreachable(host: str) -> None:
    with pytest.raises(Unreachable, match="no host of that name"):
        check_broker(BrokerConfig(host=host))


@pytest.fixture
def peer() -> Iterator[Callable[..., BrokerConfig]]:
    """A scripted peer: answers each packet it gets with the next of the given bytes, and then says nothing more."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    threads = []

    def serve(answers: Sequence[bytes]) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.1)
            for answer in answers:
                while not ended.is_set():
                    try:
                        if not connection.recv(4096):
                            return
                        break
                    except TimeoutError:
                        continue
                connection.sendall(answer)
            ended.wait(10.0)

    def start(*answers: bytes) -> BrokerConfig:
        threads.append(threading.Thread(target=serve, args=(answers,)))
        threads[-1].start()
        return BrokerConfig(host="127.0.0.1", port=listener.getsockname()[1], connect_timeout_s=1.0)

    yield start
    ended.set()
    for thread in threads:
        thread.join(5.0)
    listener.close()


def test_connections_cut_again_and_again_lose_nothing(mosquitto: BrokerConfig) -> None:
    with closing(Proxy(mosquitto.port)) as proxy:
        config = mosquitto.model_copy(update={"port": proxy.port})
        with closing(MqttSource(with_id(config), FLEET)) as source, closing(MqttPublisher(config)) as publisher:
            feeder = threading.Thread(
                target=lambda: [publisher.publish("plant/p1", str(number).encode()) for number in range(8000)]
            )
            feeder.start()
            seen: set[int] = set()
            cuts = 0
            while len(seen) < 8000:
                some = source.receive(200, 10.0)
                assert some, f"only {len(seen)} came"
                source.acknowledge(some)
                seen.update(numbers_of(some))
                if len(seen) > 1500 * (cuts + 1):
                    proxy.cut()
                    cuts += 1
            feeder.join()
            assert publisher.flush(20.0)
            assert cuts == 5
            assert source._connection.generation > 3


CONNACK = b"\x20\x02\x00\x00"


def test_a_peer_that_never_answers_is_unreachable_in_time(peer: Callable[..., BrokerConfig]) -> None:
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        check_broker(peer())


def test_a_peer_that_is_no_broker_is_unreachable(peer: Callable[..., BrokerConfig]) -> None:
    with pytest.raises(Unreachable, match="is this an MQTT broker"):
        check_broker(peer(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200))


def test_a_refused_subscription_names_its_topic(peer: Callable[..., BrokerConfig]) -> None:
    with pytest.raises(Refused, match="no leave to subscribe to secret/#"):
        MqttSource(peer(CONNACK, b"\x90\x04\x00\x01\x01\x80"), [("plant/#", 1), ("secret/#", 1)])


def test_a_topic_that_is_not_utf8_reaches_the_caller_and_ends_nothing(peer: Callable[..., BrokerConfig]) -> None:
    config = peer(CONNACK, b"\x90\x03\x00\x01\x01" + b"\x30\x05\x00\x02\xff\xfex" + b"\x30\x04\x00\x01ay")
    with closing(MqttSource(config, FLEET)) as source:
        messages = receive_all(source, 2)
    assert [message.payload for message in messages] == [b"x", b"y"]
    assert messages[0].topic == "\udcff\udcfe"


# ---------------------------------------------------------------- what only MQTT 5 says


def five(config: BrokerConfig, **changes: object) -> BrokerConfig:
    return config.model_copy(update={"version": 5, **changes})


CONNACK_5 = b"\x20\x03\x00\x00\x00"
REASON = b"\x1f\x00\x0con holiday\n!"
"""the property Reason String, with a line end that must not break our line"""


def test_a_refusal_has_the_broker_s_own_words_in_one_line(peer: Callable[..., BrokerConfig]) -> None:
    for code, said in ((0x88, "server unavailable"), (0x87, "not authorised without a user name")):
        body = b"\x00" + bytes([code, len(REASON)]) + REASON
        with pytest.raises(Refused, match=said) as caught:
            check_broker(five(peer(b"\x20" + bytes([len(body)]) + body)))
        assert str(caught.value).endswith("(on holiday !)")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
def test_a_broker_that_refuses_the_version_is_told_with_the_way_out(
    peer: Callable[..., BrokerConfig], answer: bytes
) -> None:
    with pytest.raises(Refused, match=r"it does not speak MQTT 5; version = 3 is MQTT 3\.1\.1"):
        check_broker(five(peer(answer)))


def test_a_broker_that_speaks_only_5_is_told_with_the_way_out(peer: Callable[..., BrokerConfig]) -> None:
    with pytest.raises(Unreachable, match=r"broker that speaks MQTT 3\.1\.1\? version = 5 is MQTT 5"):
        check_broker(peer(b"\x20\x02\x00\x01"))


def test_why_a_broker_ends_a_connection_is_told(
    peer: Callable[..., BrokerConfig], caplog: pytest.LogCaptureFixture
) -> None:
    taken_over = b"\xe0" + bytes([2 + len(REASON), 0x8E, len(REASON)]) + REASON
    config = five(peer(CONNACK_5, b"\x90\x04\x00\x01\x00\x01" + taken_over), client_id="detector")
    with closing(MqttSource(config, FLEET)) as source:
        eventually(lambda: "session taken over" in caplog.text, "the reason is logged")
        assert "(session taken over (on holiday !))" in caplog.text
        assert "another client uses the client id 'detector'" in caplog.text
        assert not source.connected


def test_a_broker_that_keeps_sessions_for_less_than_asked_is_told_of(
    peer: Callable[..., BrokerConfig], caplog: pytest.LogCaptureFixture
) -> None:
    connack = b"\x20\x08\x00\x00\x05\x11\x00\x00\x00\x3c"  # session expiry interval 60
    config = five(peer(connack, b"\x90\x04\x00\x01\x00\x01"), client_id="detector")
    with closing(MqttSource(config, FLEET)):
        assert "it keeps the session of a client that is away for 60 s only" in caplog.text
