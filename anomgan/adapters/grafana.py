"""Annotations in a Grafana, over its HTTP API: added once, however often they are told, and moved when they change."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from anomgan.adapters.influx import explain, message
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable

TIMEOUT_S = 10.0
MOST_FOUND = 1000


class Grafana:
    """A Grafana and, unless "", the token of a service account that may read and write annotations."""

    def __init__(self, url: str, token: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--grafana: {url!r} does not begin with http:// or https://")
        self._url = url.rstrip("/")
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(headers=headers, timeout=TIMEOUT_S, retries=False)

    def put(self, body: Mapping[str, Any]) -> str:
        """Make an annotation be there: "added", "moved" where it had another end, "there" where nothing was to do.

        It is known by its beginning, text and tags. Raises Unreachable, Refused or ServerError.
        """
        asked = [("from", body["time"]), ("to", body["time"]), ("limit", MOST_FOUND), ("type", "annotation")]
        asked += [(key, body[key]) for key in ("dashboardUID", "panelId") if key in body]
        query = urlencode([*asked, *(("tags", tag) for tag in body["tags"])])
        known = [one for one in self._ask("GET", f"/api/annotations?{query}", list) if _is(one, body)]
        if not known:
            self._ask("POST", "/api/annotations", dict, body)
            return "added"
        if known[0].get("timeEnd") == body.get("timeEnd", known[0].get("timeEnd")):
            return "there"
        self._ask("PATCH", f"/api/annotations/{known[0]['id']}", dict, {"timeEnd": body["timeEnd"]})
        return "moved"

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._pool.clear()

    def _ask(self, method: str, path: str, kind: type, body: Mapping[str, Any] | None = None) -> Any:
        where = f"Grafana {self._url}"
        content = None if body is None else json.dumps(body).encode()
        try:
            response = self._pool.request(method, self._url + path, body=content)
        except urllib3.exceptions.LocationParseError as error:
            raise ConfigError(f"--grafana: {error}") from None
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{where}: {explain(error, TIMEOUT_S)}") from None
        said = message(response.data)[:500]
        if response.status in (401, 403):
            raise Refused(f"{where}: the token may not read and write annotations; HTTP {response.status}: {said}")
        if response.status >= 300:
            raise (ServerError if response.status >= 500 else Refused)(f"{where}: HTTP {response.status}: {said}")
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if not isinstance(answer, kind):
            raise ServerError(f"{where}: it does not answer as Grafana does: {said}")
        return answer


def _is(there: Any, body: Mapping[str, Any]) -> bool:
    """Whether an annotation that was found is the one meant; not every version tells the dashboard's UID again."""
    return (
        isinstance(there, dict)
        and "id" in there
        and there.get("time") == body["time"]
        and there.get("text") == body["text"]
        and (there.get("dashboardUID") or body.get("dashboardUID", "")) == body.get("dashboardUID", "")
        and (there.get("panelId") or None) == body.get("panelId")
    )
