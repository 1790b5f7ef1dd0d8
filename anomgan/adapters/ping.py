"""A dead man's switch: an address that is fetched while all is well, so that somebody notices when it is not."""

import urllib3

from anomgan.adapters.secrets import read_secret
from anomgan.config import MonitorConfig
from anomgan.errors import ConfigError, Refused, Unreachable

TIMEOUT_S = 5.0


class Ping:
    """Fetches one address, which is a secret: no message names it."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError("monitor.ping_url: the address does not begin with http:// or https://")
        self._url = url
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)

    def send(self) -> None:
        """Fetch it once; raises Unreachable or Refused."""
        try:
            status = self._pool.request("GET", self._url).status
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"monitor.ping_url: nobody answers ({type(error).__name__})") from None
        if status >= 300:
            raise Refused(f"monitor.ping_url: HTTP {status}")

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._pool.clear()


def open_ping(config: MonitorConfig) -> Ping | None:
    """The switch that a configuration names, None where it names none."""
    url = read_secret("monitor.ping_url", config.ping_url_env, config.ping_url_file)
    return Ping(url.strip()) if url else None
