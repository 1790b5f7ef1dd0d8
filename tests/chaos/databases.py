"""The two databases of the trials: how each goes away, refuses the service, and is read when all is over."""

import json
import math
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from servers import (
    eventually,
    fetch,
    free_port,
    influxdb1_server,
    influxql,
    victoria_export,
    victoria_server,
    vmauth_server,
)

from anomgan.config import InfluxConfig

Score = tuple[float, bool]
"""surprise, anomalous"""
Scores = Mapping[tuple[str, float], list[Score]]
"""(device, event time) -> the scores that stand there, of which there should be one"""
SECRET = "CHAOS_SECRET"  # noqa: S105 the name of an environment variable
WORDS = ("olive tree", "fig tree")
"""the secret that the service knows, and the one that it does not"""


class Database(Protocol):
    """What a trial needs of one."""

    name: str
    config: InfluxConfig

    def start(self) -> None:
        """Start it, with a user or token for the service."""
        ...

    def go_away(self) -> None:
        """Stop it, as far as it keeps then what it has acknowledged."""
        ...

    def come_back(self) -> None:
        """Start it again."""
        ...

    def refuse(self) -> None:
        """Let the service in no longer."""
        ...

    def accept(self) -> None:
        """Let the service in again."""
        ...

    def stop(self) -> None:
        """End it for good."""
        ...

    def scores(self) -> Scores:
        """All scores in it."""
        ...

    def events(self) -> Mapping[str, dict[str, Any]] | None:
        """id -> fields; None where the database cannot hold them."""
        ...


class Influx1:
    """InfluxDB 1.x, which asks for a password. It goes away as by a power cut: what it has acknowledged it keeps."""

    name = "InfluxDB 1.x"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port = free_port()
        self._server = influxdb1_server(folder, port, authentication=True)
        self._keeper = ("keeper", "pine tree")
        self._url = f"http://127.0.0.1:{port}"
        self.config = InfluxConfig(url=self._url, version=1, username="plant", password_env=SECRET, timeout_s=5.0)

    def start(self) -> None:
        """Start, with a user for the service."""
        self._server.start()
        name, password = self._keeper
        fetch(f"{self._url}/query", {"q": f"CREATE USER {name} WITH PASSWORD '{password}' WITH ALL PRIVILEGES"})
        self._ask(f"CREATE USER plant WITH PASSWORD '{WORDS[0]}' WITH ALL PRIVILEGES")

    def go_away(self) -> None:
        """End at once."""
        self._server.kill()

    def come_back(self) -> None:
        """Start again."""
        self._server.start()

    def refuse(self) -> None:
        """Know the service's user by another password."""
        self._ask(f"SET PASSWORD FOR plant = '{WORDS[1]}'")

    def accept(self) -> None:
        """Know it by its own again."""
        self._ask(f"SET PASSWORD FOR plant = '{WORDS[0]}'")

    def stop(self) -> None:
        """End."""
        self._server.stop()

    def _ask(self, query: str) -> None:
        fetch(f"{self._url}/query", {"q": query}, self._keeper)

    def scores(self) -> Scores:
        """All that stand in `anomaly_score`."""
        query = "SELECT surprise, anomalous FROM anomaly_score GROUP BY *"
        found: dict[tuple[str, float], list[Score]] = {}
        for row in influxql(self.config, query, self._keeper):
            found.setdefault((row["device"], row["time"] / 1e9), []).append((row["surprise"], row["anomalous"]))
        return found

    def events(self) -> Mapping[str, dict[str, Any]]:
        """All that stand in `anomaly_event`."""
        return {row["id"]: row for row in influxql(self.config, "SELECT * FROM anomaly_event", self._keeper)}


class Victoria:
    """VictoriaMetrics behind vmauth, which asks for a token, written to by influxdb-client.

    It is told to end, for when it is killed it forgets seconds that it has acknowledged. What is delivered twice it
    keeps twice, unless it is told to keep one sample of each time: it is.
    """

    name = "VictoriaMetrics"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port, gate = free_port(), free_port()
        self._server = victoria_server(folder, port)
        self._server.command.append("-dedup.minScrapeInterval=1ms")
        self._gate = vmauth_server(folder, gate, f"http://127.0.0.1:{port}", WORDS[0])
        self._users = folder / "auth.yml"
        self._behind = InfluxConfig(url=f"http://127.0.0.1:{port}", version=2)
        self.config = InfluxConfig(url=f"http://127.0.0.1:{gate}", version=2, token_env=SECRET, timeout_s=5.0)

    def start(self) -> None:
        """Start both."""
        self._server.start()
        self._gate.start()

    def go_away(self) -> None:
        """End; the gate says so."""
        self._server.stop()

    def come_back(self) -> None:
        """Start again."""
        self._server.start()

    def refuse(self) -> None:
        """Know another token than the service's."""
        self._let_in(WORDS[1])

    def accept(self) -> None:
        """Know the service's again."""
        self._let_in(WORDS[0])

    def _let_in(self, token: str) -> None:
        document = json.loads(self._users.read_text())
        document["users"][0]["bearer_token"] = token
        self._users.write_text(json.dumps(document))
        assert self._gate.process is not None
        os.kill(self._gate.process.pid, signal.SIGHUP)
        eventually(lambda: self._opens_to(token), "the gate knows the new token")

    def _opens_to(self, token: str) -> bool:
        url = f"{self.config.url}/api/v1/query?query=1"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 the scheme is ours
        try:
            with urllib.request.urlopen(request, timeout=5.0):  # noqa: S310 the same
                return True
        except urllib.error.HTTPError:
            return False

    def stop(self) -> None:
        """End both."""
        self._gate.stop()
        self._server.stop()

    def scores(self) -> Scores:
        """The samples of `anomaly_score`."""
        flags = self._samples("anomaly_score_anomalous")
        found: dict[tuple[str, float], list[Score]] = {}
        for at, values in self._samples("anomaly_score_surprise").items():
            known = flags.get(at, [])
            if len(known) != len(values):
                known = [math.nan] * len(values)
            found[at] = [(surprise, flag == 1.0) for surprise, flag in zip(values, known, strict=True)]
        return found

    def _samples(self, name: str) -> dict[tuple[str, float], list[float]]:
        found: dict[tuple[str, float], list[float]] = {}
        for series in victoria_export(self._behind, name):
            for time_ms, value in zip(series["timestamps"], series["values"], strict=True):
                found.setdefault((series["metric"]["device"], time_ms / 1e3), []).append(value)
        return found

    def events(self) -> None:
        """It turns text into zeros, so events say nothing here."""
        return None


DATABASES: Mapping[str, Callable[[Path], Database]] = {"influx": Influx1, "victoria": Victoria}
"""what `--database` may say"""
