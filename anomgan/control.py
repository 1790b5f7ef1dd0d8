"""The gate before requests: who is let in, and that nobody is let in twice with the same one."""

from dataclasses import dataclass

import orjson

from anomgan.errors import DataError, PayloadError
from anomgan.snapshots import UNREADABLE, timely, typed
from anomgan.wire.control import COMMANDS, Commands, Request, decode_request

VERSION = 1
MOST_NONCES = 10_000


@dataclass(frozen=True, slots=True)
class Pass:
    """How requests are recognised: with a secret, or "" where the broker lets in only whom it may."""

    secret: str
    max_age_s: float


class Gate:
    """Reads requests; remembers the nonces of those let in for as long as they could come again."""

    def __init__(self, rule: Pass, commands: Commands = COMMANDS) -> None:
        self.rule = rule
        self.commands = commands
        self._nonces: dict[str, float] = {}

    def admit(self, command: str, payload: bytes, now_s: float) -> Request:
        """A request, or PayloadError with the reason why not."""
        request = decode_request(command, payload, self.rule.secret, self.commands)
        if not self.rule.secret:
            return request
        age_s = now_s - request.time_s
        if not abs(age_s) <= self.rule.max_age_s:
            how = "old" if age_s > 0 else "ahead"
            raise PayloadError(
                "stale", f"the request is {abs(age_s):.0f} s {how}; at most {self.rule.max_age_s:g} s are"
            )
        if request.nonce in self._nonces:
            raise PayloadError("repeated", "a request with this nonce has been dealt with")
        self._nonces = {
            nonce: time_s for nonce, time_s in self._nonces.items() if now_s - time_s <= self.rule.max_age_s
        }  # by the request's own time: one that is older than that is refused as stale
        if len(self._nonces) >= MOST_NONCES:
            raise PayloadError("too_many", f"{MOST_NONCES} requests within {self.rule.max_age_s:g} s; try again later")
        self._nonces[request.nonce] = request.time_s
        return request

    def snapshot(self) -> bytes:
        """Everything as versioned JSON; `restore` goes on as if nothing had happened."""
        return orjson.dumps({"version": VERSION, "nonces": self._nonces})

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none, which change nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] != VERSION:
                raise DataError(f"a snapshot of requests of version {document['version']}, not {VERSION}")
            nonces = typed(document, "nonces", dict[str, float])
            timely(*nonces.values())
        except UNREADABLE as error:
            raise DataError(f"these bytes are not a snapshot of requests: {error}") from None
        self._nonces = nonces
