"""Real servers for the service tests: found, started on free ports, waited for, ended."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from anomgan.config import BrokerConfig, InfluxConfig

Answer = TypeVar("Answer")


def require(binary: str) -> str:
    """The path of a server's binary; where it is missing the test skips on a laptop and fails where CI is set."""
    found = shutil.which(binary, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{binary} is not installed, and CI is set")
    if found is None:
        pytest.skip(f"{binary} is not installed")
    return found


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Answer], what: str, timeout_s: float = 20.0) -> Answer:
    """The first true answer of `condition`; the test fails with `what` when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.01)
    pytest.fail(f"not within {timeout_s:g} s: {what}")


class Server:
    """One server in a child process, with its log in `folder`."""

    def __init__(self, command: Sequence[str | Path], folder: Path, ready: Callable[[], bool]) -> None:
        self.command = [str(part) for part in command]
        self.log = folder / "server.log"
        self.ready = ready
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.log.parent)
        eventually(self._answers, f"{self.command[0]} answers")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"{' '.join(self.command)} ended at once:\n{self.log.read_text()[-2000:]}")
        return self.ready()

    def stop(self) -> None:
        """End it politely, as a system service is ended."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None


class Mosquitto(Server):
    """A mosquitto on a free port; `lines` are added to its configuration."""

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        binary, self.port = require("mosquitto"), free_port()
        file = folder / "mosquitto.conf"
        always = (
            f"listener {self.port} 127.0.0.1",
            "max_queued_messages 0",  # the default of 1,000 loses the rest
            "max_inflight_messages 1000",
            "set_tcp_nodelay true",
            "user root",  # as root it would else become a user who cannot read this folder
        )
        file.write_text("\n".join((*always, *lines)) + "\n")
        super().__init__([binary, "-c", file], folder, lambda: port_answers(self.port))

    @property
    def config(self) -> BrokerConfig:
        """How to reach it."""
        return BrokerConfig(host="127.0.0.1", port=self.port)


def mosquitto_password_file(folder: Path, users: dict[str, str]) -> Path:
    """A password file as mosquitto wants it."""
    file = folder / "passwords"
    file.touch(mode=0o600)
    for name, password in users.items():
        subprocess.run([require("mosquitto_passwd"), "-b", file, name, password], check=True, capture_output=True)
    return file


def influxdb1_server(folder: Path, port: int, authentication: bool = False) -> Server:
    """InfluxDB 1.x with everything off that is not needed."""
    file = folder / "influxdb.conf"
    file.write_text(
        f"""reporting-enabled = false
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {str(authentication).lower()}
  log-enabled = false
[logging]
  suppress-logo = true
"""
    )
    return Server([require("influxd"), "-config", file], folder, lambda: http_answers(f"http://127.0.0.1:{port}/ping"))


def victoria_server(folder: Path, port: int) -> Server:
    """VictoriaMetrics that keeps what the tests write, whatever year it is from, and shows it at once."""
    command = [
        require("victoria-metrics"),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder}/data",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
        "-memory.allowedBytes=64MB",
        "-loggerLevel=WARN",
    ]
    return Server(command, folder, lambda: http_answers(f"http://127.0.0.1:{port}/health"))


def vmauth_server(folder: Path, port: int, behind: str, token: str) -> Server:
    """A gate before VictoriaMetrics that lets only the bearer of `token` through."""
    file = folder / "auth.yml"
    file.write_text(json.dumps({"users": [{"bearer_token": token, "url_prefix": behind}]}))
    command = [require("vmauth"), f"-httpListenAddr=127.0.0.1:{port}", f"-auth.config={file}", "-loggerLevel=WARN"]
    return Server(command, folder, lambda: port_answers(port))


def port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0):  # noqa: S310 the scheme is ours
            return True
    except OSError:
        return False


def fetch(url: str, form: dict[str, str], basic: tuple[str, str] | None = None) -> bytes:
    """The body that answers a posted form."""
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())  # noqa: S310 the scheme is ours
    if basic is not None:
        request.add_header("Authorization", "Basic " + b64encode(":".join(basic).encode()).decode())
    with urllib.request.urlopen(request, timeout=10.0) as answer:  # noqa: S310 the scheme is ours
        return bytes(answer.read())


def influxql(config: InfluxConfig, query: str, basic: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """The rows that InfluxDB 1.x answers: column -> value, tags among them; times in nanoseconds."""
    form = {"db": config.database, "q": query, "epoch": "ns"}
    results = json.loads(fetch(f"{config.url}/query", form, basic))["results"]
    rows = []
    for result in results:
        assert "error" not in result, result
        for series in result.get("series", ()):
            tags = series.get("tags", {})
            rows += [tags | dict(zip(series["columns"], row, strict=True)) for row in series.get("values", ())]
    return rows


def victoria_export(config: InfluxConfig, selector: str) -> list[dict[str, Any]]:
    """The raw series that VictoriaMetrics holds: `metric` (labels), `values`, `timestamps` in milliseconds."""
    fetch(f"{config.url}/internal/force_flush", {})
    body = fetch(f"{config.url}/api/v1/export", {"match[]": selector, "start": "0"})
    return [json.loads(line) for line in body.splitlines()]


def influxdb_received(config: InfluxConfig) -> int:
    """How many messages the service says it received; the last thing that a batch writes."""
    rows = influxql(config, "SELECT last(messages_received) AS count FROM anomgan_service")
    return int(rows[0]["count"] or 0) if rows else 0
