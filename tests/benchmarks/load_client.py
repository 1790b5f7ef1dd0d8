"""Clients of the load benchmark, each a process of its own: `load_client.py bare|warm-up|queue|steady PORT ...`."""

import sys
import threading
import time
from contextlib import closing

import orjson
import paho.mqtt.client as paho
import psutil
from figures import coupled_sines
from paho.mqtt.enums import CallbackAPIVersion

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.config import BrokerConfig

START_S = 1.7e9
PERIOD_S = 1.0
VALUES = coupled_sines(4000, seed=1).round(3)
NAMES = [f"c{c}" for c in range(VALUES.shape[1])]


def reading(device: int, row: int, time_s: float) -> dict[str, float]:
    """What a device says, every one in its own phase."""
    return {"ts": time_s, **dict(zip(NAMES, VALUES[(row + 7 * device) % len(VALUES)].tolist(), strict=True))}


def bare(port: int, name: str, messages: int) -> None:
    """paho with a callback that counts and acknowledges by itself; prints the wall and CPU seconds from the first
    message to the last."""
    own, received, done = psutil.Process(), 0, threading.Event()
    marks: list[tuple[float, float]] = []

    def on_message(client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        nonlocal received
        received += 1
        if received in (1, messages):
            spent = own.cpu_times()
            marks.append((time.monotonic(), spent.user + spent.system))
        if received == messages:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert done.wait(600.0), f"{received:,} of {messages:,} messages came"
    client.disconnect()
    client.loop_stop()
    (wall_0, cpu_0), (wall_1, cpu_1) = marks
    print(wall_1 - wall_0, cpu_1 - cpu_0)  # noqa: T201 its answer


def payload(device: int, first: int, count: int) -> bytes:
    """So many readings of a device in one message."""
    rows = range(first, first + count)
    return orjson.dumps([reading(device, row, START_S + PERIOD_S * row) for row in rows])


def warm_up(port: int, devices: int, window: int) -> None:
    """Every device's first `window` readings in one message."""
    with closing(MqttPublisher(BrokerConfig(host="127.0.0.1", port=port))) as publisher:
        for device in range(devices):
            # devices are at different places of the stride, so that they are due in turn
            publisher.publish(f"plant/d{device}/telemetry", payload(device, -window, window - device % 2))
        assert publisher.flush(120.0)


def queue(port: int, devices: int, messages: int, rows: int) -> None:
    """So many messages of `rows` readings, by the devices in turn."""
    with closing(MqttPublisher(BrokerConfig(host="127.0.0.1", port=port))) as publisher:
        for number in range(messages):
            device, turn = number % devices, number // devices
            publisher.publish(f"plant/d{device}/telemetry", payload(device, turn * rows, rows))
        assert publisher.flush(120.0)


def steady(port: int, devices: int, rate: float, seconds: float) -> None:
    """One reading a message, stamped with the moment of its sending, at an even rate."""
    with closing(MqttPublisher(BrokerConfig(host="127.0.0.1", port=port))) as publisher:
        begun, number = time.monotonic(), 0
        while (now := time.monotonic()) < begun + seconds:
            due = int((now - begun) * rate)
            for number in range(number, due):  # noqa: B020 goes on where it was
                device, row = number % devices, number // devices
                publisher.publish(f"plant/d{device}/telemetry", orjson.dumps([reading(device, row, time.time())]))
            number = due
            time.sleep(0.002)
        assert publisher.flush(60.0)


if __name__ == "__main__":
    what, port, *rest = sys.argv[1:]
    if what == "bare":
        bare(int(port), rest[0], int(rest[1]))
    elif what == "warm-up":
        warm_up(int(port), *map(int, rest))
    elif what == "queue":
        queue(int(port), *map(int, rest))
    else:
        steady(int(port), int(rest[0]), float(rest[1]), float(rest[2]))
