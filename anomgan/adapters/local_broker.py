"""A broker of one's own on loopback, for the demo: mosquitto where it is installed, otherwise amqtt from PyPI."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from anomgan.config import BrokerConfig
from anomgan.errors import Unreachable

CHILD = Path(__file__).with_name("local_broker_child.py")
START_S = 15.0
MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
# The default of 1,000 loses messages for a subscriber that is away for a while.
max_queued_messages 0
# The default of 20 stops the delivery to a subscriber that acknowledges in batches.
max_inflight_messages 1000
set_tcp_nodelay true
user {user}
"""


Kind = Literal["mosquitto", "amqtt"]


class LocalBroker:
    """A running broker as a context manager: `with LocalBroker() as broker: MqttSource(broker.config, ...)`.

    It runs in a child process and session of its own, so that Ctrl-C in a terminal does not take it from under its
    clients, and ends with the block or with this process, however that ends. amqtt speaks MQTT 3.1.1 only and manages
    about a thousand messages a second: enough for a demo, not for a plant.
    """

    def __init__(self, port: int = 0, prefer: Kind = "mosquitto") -> None:
        self.port = port or _free_port()
        self.name: Kind = "mosquitto" if prefer == "mosquitto" and mosquitto_path() else "amqtt"
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def config(self) -> BrokerConfig:
        """How to reach it."""
        return BrokerConfig(host="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        """Start it and wait until it answers; Unreachable says why it does not."""
        if _answers(self.port):
            raise Unreachable(f"local broker: port {self.port} is taken by something else")
        self._folder = tempfile.TemporaryDirectory(prefix="anomgan-broker-")
        folder = Path(self._folder.name)
        command = [sys.executable, str(CHILD), str(self.port)]
        if self.name == "mosquitto":
            user = (
                "root" if os.geteuid() == 0 else "mosquitto"
            )  # as root it would else drop to a user without this folder
            (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=self.port, user=user))
            command += [mosquitto_path(), "-c", str(folder / "mosquitto.conf")]
        with (folder / "broker.log").open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 our own script
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
        try:
            self._await_answer(folder / "broker.log")
        except BaseException:  # also Ctrl-C: nothing may be left running
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; safe to call twice."""
        child, folder = self._child, self._folder
        self._child = self._folder = None
        if child is not None and child.stdin is not None:
            child.stdin.close()
            try:
                child.wait(5.0)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5.0)
        if folder is not None:
            folder.cleanup()

    def _await_answer(self, log: Path) -> None:
        child = self._child
        deadline = time.monotonic() + START_S
        while not _answers(self.port):
            if child is None or child.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise Unreachable(f"local broker ({self.name}) on port {self.port} did not start: {last[0][:300]}")
            time.sleep(0.02)


def mosquitto_path() -> str:
    """Where mosquitto is, also where the system's own programs lie; "" where it is not."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
