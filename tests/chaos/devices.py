"""The devices, sending: at QoS 1 over a few gateways, with a buffer for what may be forgotten on the way.

Each gateway sends the rows of its devices in order. When its connection is lost it begins anew after the last row that
has been stored for long enough, so what a killed broker forgot comes again before anything later does.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from anomgan.config import BrokerConfig
from chaos.plant import MOST_ROWS, Plant

FIRST_ROWS = 24
"""are sent at once, so that devices are past their warm-up when the first disturbance comes"""
GATEWAYS = 4
UNACKNOWLEDGED = 500
"""messages of a gateway"""
KEPT_S = 5.0
"""how long a reading has to have been stored before its device forgets it: five times what a broker may forget"""
MOST_ROWS_AHEAD = 60
"""of what is stored: then the plant stands still, so that a run ends"""


class Devices:
    """All devices of a plant; `stored_rows` says how many rows of every device the store has."""

    def __init__(self, plant: Plant, broker: BrokerConfig, rows_per_s: float, stored_rows: Callable[[], int]) -> None:
        self.plant = plant
        self.broker = broker
        self.due = FIRST_ROWS
        """rows that every device has measured"""
        self.stored = 0
        """rows of every device that the store has"""
        self.safe = 0
        """those among them that have been there for long enough"""
        self.again = 0
        """readings sent more than once"""
        self._rows_per_s = rows_per_s
        self._stored_rows = stored_rows
        self._measuring = True
        self._closing = threading.Event()
        numbers = range(len(plant.names))
        shares = [numbers[first::GATEWAYS] for first in range(GATEWAYS)]
        self._threads = [threading.Thread(target=self._measure, name="plant")]
        self._threads += [threading.Thread(target=self._send, args=(share,), name="gateway") for share in shares]

    def start(self) -> None:
        """Begin to measure and to send."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> int:
        """Measure nothing more; the rows that there are."""
        self._measuring = False
        self._threads[0].join()
        return self.due

    def close(self) -> None:
        """Send nothing more."""
        self._measuring = False
        self._closing.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _measure(self) -> None:
        """Let rows come due at their pace, and follow what becomes of them."""
        seen: deque[tuple[float, int]] = deque()
        fraction, before = 0.0, time.monotonic()
        while self._measuring:
            self._closing.wait(0.2)
            now = time.monotonic()
            self.stored = self._stored_rows()
            seen.append((now, self.stored))
            while seen and seen[0][0] <= now - KEPT_S:
                self.safe = seen.popleft()[1]
            if self.due - self.stored < MOST_ROWS_AHEAD:
                fraction += (now - before) * self._rows_per_s
                self.due, fraction = min(MOST_ROWS, self.due + int(fraction)), fraction % 1.0
            before = now

    # ---------------------------------------------------------------- a gateway

    def _send(self, share: Sequence[int]) -> None:
        """Connect, send, and begin again with what is not safe where the connection ends."""
        sent = 0
        while not self._closing.is_set():
            client, waiting = self._connect()
            if client is None:
                self._closing.wait(0.1)
                continue
            row = self.safe
            self.again += len(share) * max(0, sent - row)
            while not self._closing.is_set() and client.loop(0.02) == paho.MQTT_ERR_SUCCESS:
                while row < self.due and len(waiting) < UNACKNOWLEDGED:
                    for device in share:
                        waiting.add(client.publish(*self.plant.message(device, row), qos=1).mid)
                    row += 1
                    sent = max(sent, row)
            client.disconnect()

    def _connect(self) -> tuple[paho.Client | None, set[int]]:
        """A new connection, which begins with nothing under way, and the ids of what is not acknowledged in it."""
        waiting: set[int] = set()
        accepted: list[bool] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.max_inflight_messages_set(0)
        client.on_connect = lambda client, userdata, flags, code, properties: accepted.append(not code.is_failure)
        client.on_publish = lambda client, userdata, mid, code, properties: waiting.discard(mid)
        try:
            client.connect(self.broker.host, self.broker.port, self.broker.keepalive_s)
            while not accepted and not self._closing.is_set():
                if client.loop(0.1) != paho.MQTT_ERR_SUCCESS:
                    return None, waiting
        except OSError:
            return None, waiting
        return (client if accepted == [True] else None), waiting
