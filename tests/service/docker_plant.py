"""The services of docker/compose.yaml without Docker: their own command lines, with paths, hosts and ports mapped.

A container's path becomes one in a folder of this machine, the name of a service becomes 127.0.0.1 and a free port. The
mapping is of texts alone: every file that a service mounts is the committed one, with those texts replaced.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from compose_files import DOCKER, read_compose
from programs import PATIENCE_S
from servers import eventually, free_port, port_answers

MOSQUITTO_UID = 1883
TRAINING_S = 600.0
"""for two trainings on a machine that has other things to do"""


class WriteProtocol2(ThreadingHTTPServer):
    """`/api/v2/write` with a token, before an InfluxDB 1.x: what the detector meets in InfluxDB 2 and 3 Core."""

    daemon_threads = True

    def __init__(self, behind: str, token: str) -> None:
        self.behind, self.token = behind, token
        super().__init__(("127.0.0.1", 0), _Write)


class _Write(BaseHTTPRequestHandler):
    server: WriteProtocol2
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Pass it on as 1.x wants it, whose word for microseconds is another."""
        url = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 204, b""
        if url.path != "/api/v2/write" or self.headers["Authorization"] != f"Token {self.server.token}":
            status, answer = 401, b'{"code": "unauthorized", "message": "unauthorized access"}'
        else:
            assert (asked["org"], asked["precision"]) == ("anomgan", "us")
            written = Request(f"{self.server.behind}/write?db={asked['bucket']}&precision=u", data=body)  # noqa: S310 ours
            try:
                with urlopen(written, timeout=10.0):  # noqa: S310 the same
                    pass
            except HTTPError as error:
                status, answer = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's word
        """Say nothing."""


class DockerPlant:
    """A folder that stands for the containers' file systems, and the services that run in it."""

    def __init__(self, folder: Path, influx_url: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("mosquitto", "monitor", "page")}
        self.compose = read_compose()
        for name in ("secrets.sh", ".env.example"):
            shutil.copy(DOCKER / name, folder / name)
        subprocess.run(["sh", "secrets.sh"], cwd=folder, check=True, capture_output=True)
        for name in ("mosquitto-work", "mosquitto-data", "state"):
            (folder / name).mkdir(mode=0o755)
        self.texts = {
            "/mosquitto/data/": f"{folder}/mosquitto-data/",
            "/mosquitto/config/": f"{folder}/etc/mosquitto/config/",
            "/etc/anomgan/": f"{folder}/etc/anomgan/",
            "/var/lib/anomgan": f"{folder}/state",
            "/run/secrets": f"{folder}/secrets",
            "/tmp/passwords": f"{folder}/mosquitto-work/passwords",  # noqa: S108 the container's
            "/tmp/health": f"{folder}/mosquitto-work/health",  # noqa: S108 the same
            "listener 1883": f"listener {self.ports['mosquitto']} 127.0.0.1",
            'host = "mosquitto"': f'host = "127.0.0.1"\nport = {self.ports["mosquitto"]}',
            "mosquitto:1883": f"127.0.0.1:{self.ports['mosquitto']}",
            "http://influxdb:8086": influx_url,
            "9469": str(self.ports["monitor"]),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 no test listens for others
            "8050": str(self.ports["page"]),
        }
        self._bin()

    def _bin(self) -> None:
        """`anomgan` and `python` on the path, as in the images; mosquitto's programs where Debian puts them."""
        (self.folder / "bin").mkdir()
        anomgan = self.folder / "bin" / "anomgan"
        anomgan.write_text(f'#!/bin/sh\nexec {sys.executable} -m anomgan_cli "$@"\n')
        anomgan.chmod(0o755)
        (self.folder / "bin" / "python").symlink_to(sys.executable)

    def mapped(self, text: str) -> str:
        """A text with paths, hosts and ports of this machine."""
        for there, here in self.texts.items():
            text = text.replace(there, here)
        return text

    def secret(self, name: str) -> str:
        """One of the secrets."""
        return (self.folder / "secrets" / name).read_text().strip()

    def install(self, service: str) -> None:
        """Put the files that a service mounts where it looks for them."""
        for volume in self.compose["services"][service].get("volumes", ()):
            source, inside = volume.split(":")[:2]
            if source.startswith(".") and (DOCKER / source).is_file():
                target = self.folder / "etc" / inside.removeprefix("/etc/").removeprefix("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(self.mapped((DOCKER / source).read_text()))
                target.chmod(0o755 if (DOCKER / source).stat().st_mode & 0o111 else 0o644)

    def environment(self, service: str) -> dict[str, str]:
        """The service's own variables beside those that Python needs to run from a checkout."""
        kept = {key: os.environ[key] for key in ("PYTHONPATH", "HOME", "LANG") if key in os.environ}
        path = f"{self.folder}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin"
        own: Mapping[str, str] = self.compose["services"][service].get("environment", {})
        return kept | {"PATH": path, "OMP_NUM_THREADS": "1"} | dict(own)

    def command(self, service: str) -> list[str]:
        """The service's command line."""
        return [self.mapped(part) for part in self.compose["services"][service]["command"]]

    def start(self, service: str, more: Sequence[str] = (), **environment: str) -> subprocess.Popen[bytes]:
        """Start a service, with `more` at the end of its command line; what it says goes to NAME.log."""
        self.install(service)
        with self.log(service).open("ab") as log:
            return subprocess.Popen(
                [*self.command(service), *more],
                cwd=self.folder,
                env=self.environment(service) | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, service: str, more: Sequence[str] = (), **environment: str) -> None:
        """Run a service that ends; the test fails where it does not end well."""
        process = self.start(service, more, **environment)
        try:
            assert process.wait(TRAINING_S) == 0, self.said(service)
        finally:
            process.kill()

    @contextmanager
    def running(self, service: str, words: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """A service from when it says `words` until the end of the block, ended as Docker ends it."""
        process = self.start(service)
        try:
            eventually(
                lambda: words in self.said(service) or self._ended(service, process), f"{service}: {words}", 60.0
            )
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

    def _ended(self, service: str, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.said(service)
        return False

    def healthy(self, service: str) -> bool:
        """What the service's health check says now."""
        kind, *line = self.compose["services"][service]["healthcheck"]["test"]
        line = [self.mapped(part) for part in line]
        line = ["/bin/sh", "-c", *line] if kind == "CMD-SHELL" else line
        environment = self.environment(service)
        done = subprocess.run(line, env=environment, capture_output=True, check=False, timeout=PATIENCE_S)
        return done.returncode == 0

    def log(self, service: str) -> Path:
        """Where what a service says is kept."""
        return self.folder / f"{service}.log"

    def said(self, service: str) -> str:
        """All that a service has said."""
        return self.log(service).read_text(errors="replace") if self.log(service).exists() else ""

    @contextmanager
    def broker(self) -> Iterator["subprocess.Popen[bytes]"]:
        """mosquitto, as the user of the container where this is root, so that it does not have to become another."""
        self.install("mosquitto")
        work, data = self.folder / "mosquitto-work", self.folder / "mosquitto-data"
        conf, secrets = f"{self.folder}/etc/mosquitto/config/mosquitto.conf", f"{self.folder}/secrets"
        line = [*self.command("mosquitto"), secrets, str(work)]
        assert line[2] == conf
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            for path in (work, data):
                os.chown(path, MOSQUITTO_UID, MOSQUITTO_UID)
            os.chmod(secrets, 0o755)  # noqa: S103 Docker mounts the files, and their folder's mode does not count
            as_user = {"user": MOSQUITTO_UID, "group": MOSQUITTO_UID, "extra_groups": []}
        with self.log("mosquitto").open("wb") as log:
            process = subprocess.Popen(line, env=self.environment("mosquitto"), stdout=log, stderr=log, **as_user)
        try:
            port = self.ports["mosquitto"]
            eventually(lambda: port_answers(port) or self._ended("mosquitto", process), "mosquitto answers")
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def now_ms() -> int:
    """By this machine's clock."""
    return round(time.time() * 1000)
