"""LocalBroker, with mosquitto and with amqtt: it carries a demo's traffic and never outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import psutil
import pytest
from servers import eventually, free_port, port_answers, require

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.errors import Unreachable
from anomgan.records import Reading
from anomgan.wire import encode

KINDS = ["mosquitto", "amqtt"]


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest) -> Iterator[LocalBroker]:
    if request.param == "mosquitto":
        require("mosquitto")
    with LocalBroker(prefer=request.param) as running:
        assert running.name == request.param
        yield running


def test_five_thousand_readings_arrive_and_are_acknowledged(broker: LocalBroker) -> None:
    sent = [Reading(f"p{i % 5}", 1.7e9 + i, {f"c{j}": i + j / 8 for j in range(8)}) for i in range(5000)]
    messages = encode("flat", sent, "plant/{device}/telemetry")
    received = []
    with closing(MqttSource(broker.config, [("plant/#", 1)])) as source:
        with closing(MqttPublisher(broker.config)) as publisher:
            feeder = Thread(target=lambda: [publisher.publish(topic, payload) for topic, payload in messages])
            feeder.start()
            while len(received) < 5000:
                some = source.receive(500, 20.0)
                assert some, f"only {len(received)} came"
                source.acknowledge(some)
                received += some
            feeder.join()
            assert publisher.flush(20.0)
        assert source.receive(1, 0.2) == []
    assert [(message.topic, message.payload) for message in received] == messages


def test_nothing_is_left_after_the_block_even_after_an_exception(broker: LocalBroker) -> None:
    port = free_port()
    children = set(psutil.Process().children(recursive=True))
    with pytest.raises(KeyError), LocalBroker(port, broker.name) as own:  # noqa: PT012 the block is what is tested
        assert own.port == port
        assert port_answers(port)
        raise KeyError
    assert not port_answers(port)
    assert set(psutil.Process().children(recursive=True)) <= children
    own.close()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_when_the_parent_is_killed(kind: str) -> None:
    if kind == "mosquitto":
        require("mosquitto")
    parent, port, children = start_parent(kind)
    assert parent.stdout is not None
    with parent.stdout:
        parent.kill()
        parent.wait(10.0)
    eventually(lambda: not port_answers(port), "the port is free")
    eventually(lambda: not any(child.is_running() for child in children), "no process is left")


@pytest.mark.parametrize("kind", KINDS)
def test_control_c_in_the_terminal_reaches_the_parent_only(kind: str) -> None:
    if kind == "mosquitto":
        require("mosquitto")
    parent, port, children = start_parent(kind)
    assert parent.stdout is not None
    with parent.stdout:
        os.killpg(parent.pid, signal.SIGINT)  # what a terminal does: the whole foreground group gets it
        assert parent.stdout.readline() == b"interrupted, and the broker answers: True\n"
        assert parent.wait(15.0) == 0
    assert not port_answers(port)
    assert not any(child.is_running() for child in children)


PARENT = """
import sys, time
from anomgan.adapters.local_broker import LocalBroker, _answers
with LocalBroker(prefer=sys.argv[1]) as broker:
    try:
        print(broker.port, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted, and the broker answers:", _answers(broker.port), flush=True)
"""


def start_parent(kind: str) -> tuple[subprocess.Popen[bytes], int, list[psutil.Process]]:
    """A process with a broker, the broker's port, and all the processes below."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, kind], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    return parent, port, children


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable, match=f"port {port} is taken"), LocalBroker(port):
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_does_not_start_says_why(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "mosquitto":
        require("mosquitto")
    monkeypatch.setattr("anomgan.adapters.local_broker._answers", lambda port: False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        broker = LocalBroker(taken.getsockname()[1], kind)
        with pytest.raises(Unreachable, match=f"{kind}.* did not start: .*(in use|could not be)"):
            broker.__enter__()
