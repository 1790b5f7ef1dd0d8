"""How fast the simulator publishes, beside a bare paho publisher with the same payloads on the same broker.

The bare one has its payloads ready and its thread running; of two windows of unacknowledged messages the faster counts.
The simulator makes its payloads on the way: from rows that are ready, and from the scenario, physics included, though
not what comes before row 0. They take turns, so that whatever else the machine does hits them alike; each ends when the
broker has confirmed a last message of QoS 1, and with it all before.
"""

import statistics
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import islice

import paho.mqtt.client as paho
import pytest
from figures import Spent, stopwatch, table
from paho.mqtt.enums import CallbackAPIVersion

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.config import BrokerConfig
from anomgan.simulate import Network, Scenario, Tick, parse_scenario, ticks
from anomgan_simulator.compose import peek
from anomgan_simulator.connections import Connections, clients
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import encoder_of, play

DEVICES, MESSAGES, ROUNDS = 200, 20_000, 3
WINDOWS = (20, 1000)
LAST = "anomgan/benchmark/last"
NETWORK = {"connection": "device", "jitter_s": 0.3, "loss": 0.01, "duplicate": 0.01, "reorder": 0.01}
pytestmark = [pytest.mark.bench, pytest.mark.service]


@pytest.mark.parametrize("qos", [0, 1])
def test_publishing(qos: int) -> None:
    plain, bad = scenario(qos), scenario(qos, network=NETWORK)
    rows = list(islice(ticks(plain), MESSAGES // DEVICES))
    encoder = encoder_of(plain.config.output)
    messages = [message for tick in rows for message in encoder.encode(tick.readings)]
    with LocalBroker() as broker:
        config = broker.config
        ways = {
            **{
                f"bare paho, {window} unacknowledged": lambda w=window: bare(config, messages, qos, w)
                for window in WINDOWS
            },
            "simulator, rows ready": lambda: simulator(config, plain, rows),
            "simulator, with physics": lambda: simulator(config, plain, peek(islice(ticks(plain), len(rows)))[1]),
            f"{DEVICES} connections, bad network": lambda: simulator(config, bad, rows),
        }
        rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    wall = {name: statistics.median(one[name].wall_s for one in rounds) for name in ways}
    cpu = {name: statistics.median(one[name].cpu_s for one in rounds) for name in ways}
    best = min(wall[name] for name in ways if "bare" in name)
    table(
        f"Publishing with QoS {qos}: {len(messages):,} messages of {len(messages[0][1])} bytes, {DEVICES} devices",
        ["what", "messages/s", "against the faster bare one", "CPU µs/message"],
        [
            [
                name,
                f"{len(messages) / wall[name]:,.0f}",
                f"{best / wall[name]:.2f}",
                f"{1e6 * cpu[name] / len(messages):.0f}",
            ]
            for name in ways
        ],
    )


def scenario(qos: int, **more: object) -> Scenario:
    document = {
        "clock": {"speed": "max"},
        "output": {"qos": qos},
        "devices": [{"kind": "pump", "name": "pump-", "count": DEVICES, "site": "north"}],
        **more,
    }
    return parse_scenario(document, "benchmark")


def bare(config: BrokerConfig, messages: list[tuple[str, bytes]], qos: int, window: int) -> Spent:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(window)
    client.connect(config.host, config.port)
    client.loop_start()

    def publish() -> None:
        for topic, payload in messages:
            client.publish(topic, payload, qos)
        client.publish(LAST, b"", 1).wait_for_publish(120.0)

    _, spent = stopwatch(publish)
    client.disconnect()
    client.loop_stop()
    return spent


def simulator(config: BrokerConfig, plan: Scenario, rows: Iterable[Tick]) -> Spent:
    network = None if plan.network is None else Network(plan.network, 0, MESSAGES // DEVICES)
    wishes, absent = clients("", network)
    with closing(MqttFleet(config, wishes, absent=absent)) as fleet:
        pace = Pace(0.0, time.monotonic, lambda time_s: fleet.wait(time_s, lambda: False))
        devices = None if network is None else Connections(fleet, network)

        def publish() -> None:
            play(
                rows,
                fleet,
                plan.config.output,
                pace,
                plan.start_s,
                time.monotonic,
                network=network,
                devices=devices,
            )
            fleet.publish(LAST, b"", qos=1)
            assert fleet.flush(120.0)

        return stopwatch(publish)[1]
