r"""Requests to the service and its answers as JSON, in the manner of Zigbee2MQTT's bridge.

A request on `TOPIC/request/COMMAND` is a JSON object, the body: the command's own keys, and `transaction` (any text,
comes back with the answer) and `client` (who asks, for the record). The answer on `TOPIC/response/COMMAND` is
`{"status": "ok", "data": {...}, "transaction": ...}` or `{"status": "error", "error": "...", "data": {}, ...}`.

A signed request is `{"body": "...", "signature": "..."}`: the body as JSON text, with `time` (seconds since 1970) and a
`nonce` of its own besides, and the hexadecimal HMAC-SHA256 (RFC 2104) of `COMMAND \n body` with the shared secret. What
is signed is the text that is sent, so that no two programs have to agree on how to write JSON.
"""

import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_validator, model_validator

from anomgan.config import Table
from anomgan.errors import PayloadError
from anomgan.records import Event
from anomgan.wire.event_json import encode_event

MOST_BYTES = 16_384
MOST_COMMAND = 32
MOST_TRANSACTION = 100
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Says = Literal["false-alarm", "real", "maintenance"]


class Status(Table):
    """`status`: how the service does."""


class Events(Table):
    """`events`: the newest ones."""

    limit: int = Field(20, ge=1, le=100)


class About(Table):
    """An event, by its id or as the newest of a device."""

    event: Name | None = None
    device: Name | None = None
    site: str = Field("", max_length=300)

    @model_validator(mode="after")
    def _one(self) -> "About":
        if (self.event is None) == (self.device is None):
            raise ValueError("give either an event or a device, whose newest event is meant")
        return self


class Feedback(About):
    """`feedback`: what an event was."""

    says: Says


class Undo(About):
    """`undo`: take the feedback on an event back."""


class Mute(Table):
    """`mute`: tell nothing of devices, or of some of their channels, for a time."""

    device: Name
    """shell pattern"""
    site: str = Field("*", max_length=300)
    channels: tuple[Name, ...] = Field((), strict=False, max_length=100)
    for_s: float = Field(3600.0, ge=0, le=366 * 86_400.0)
    """0 ends the mute of exactly this pattern and these channels, as a switch does that knows no other command"""


class Unmute(Table):
    """`unmute`: end mutes of exactly this pattern; of all its channels unless some are named."""

    device: Name
    site: str = Field("*", max_length=300)
    channels: tuple[Name, ...] = Field((), strict=False, max_length=100)


Commands = Mapping[str, type[Table]]
"""the commands that somebody takes, by name"""
Command = Status | Events | Feedback | Undo | Mute | Unmute
COMMANDS: Mapping[str, type[Command]] = {
    "status": Status,
    "events": Events,
    "feedback": Feedback,
    "undo": Undo,
    "mute": Mute,
    "unmute": Unmute,
}


class _Envelope(BaseModel):
    """What every body may have besides its command's keys."""

    model_config = {"extra": "allow", "strict": True}
    transaction: str | None = Field(None, max_length=MOST_TRANSACTION)
    client: str = Field("", max_length=100)
    time: float | None = Field(None, allow_inf_nan=False)
    nonce: str | None = Field(None, min_length=8, max_length=100)

    @field_validator("transaction", "client")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        if text is not None and not text.isprintable():
            raise ValueError("has letters that cannot be printed")
        return text


class _Signed(BaseModel):
    model_config = {"extra": "forbid", "strict": True}
    body: str
    signature: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been read: its command, and who asks; `time_s` and `nonce` where it is signed."""

    command: Table
    transaction: str | None
    client: str
    time_s: float = math.nan
    nonce: str = ""


def encode_request(
    command: str, fields: Mapping[str, Any], *, secret: str, transaction: str, client: str, time_s: float, nonce: str
) -> bytes:
    """The payload of a request; signed where there is a secret."""
    envelope = {"transaction": transaction, "client": client}
    if not secret:
        return orjson.dumps({**fields, **envelope})
    body = orjson.dumps({**fields, **envelope, "time": time_s, "nonce": nonce}).decode()
    return orjson.dumps({"body": body, "signature": signature(secret, command, body)})


def signature(secret: str, command: str, body: str) -> str:
    """What proves that a body was written by somebody who knows the secret, for this command."""
    return hmac.new(secret.encode(), f"{command}\n{body}".encode(), hashlib.sha256).hexdigest()


def decode_request(name: str, payload: bytes, secret: str, commands: Commands = COMMANDS) -> Request:
    """A request, its signature checked where there is a secret; PayloadError, whose reason counters use, otherwise."""
    if len(payload) > MOST_BYTES:
        raise PayloadError("request_too_large", f"a request of {len(payload):,} bytes; at most {MOST_BYTES:,}")
    if name not in commands:
        raise PayloadError("unknown_command", f"unknown command; there are {', '.join(commands)}")
    body = payload
    if secret:
        try:
            signed = _Signed.model_validate(_object(payload))
        except ValidationError:
            raise PayloadError("unsigned", 'requests are signed: {"body": "...", "signature": "..."}') from None
        try:
            body, wanted = signed.body.encode(), signature(secret, name, signed.body)
        except UnicodeEncodeError:  # half a surrogate pair
            raise PayloadError("bad_request", "the body is not UTF-8") from None
        if not hmac.compare_digest(signed.signature.encode("utf-8", "replace"), wanted.encode()):
            raise PayloadError("bad_signature", "the signature does not fit: another secret, command or body")
    document = _object(body) if body.strip() else {}
    try:
        envelope = _Envelope.model_validate(document)
        own = {key: value for key, value in document.items() if key not in _Envelope.model_fields}
        command = commands[name].model_validate(own)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        message = first["msg"].removeprefix("Value error, ")
        raise PayloadError("bad_request", f"{where}: {message}" if where else message) from None
    if not secret:
        return Request(command, envelope.transaction, envelope.client)
    if envelope.time is None or envelope.nonce is None:
        raise PayloadError("bad_request", "a signed body has a time and a nonce")
    return Request(command, envelope.transaction, envelope.client, envelope.time, envelope.nonce)


def named_transaction(payload: bytes) -> str | None:
    """The transaction that a refused request names, so that who sent it hears why; nothing else of it is believed."""
    if len(payload) > MOST_BYTES:
        return None
    try:
        document = _object(payload)
        body = document.get("body")
        named = (_object(body.encode()) if isinstance(body, str) else document).get("transaction")
    except (PayloadError, UnicodeEncodeError):
        return None
    return named if isinstance(named, str) and len(named) <= MOST_TRANSACTION else None


def _object(payload: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise PayloadError("bad_request", f"not JSON: {error}"[:200]) from None
    if not isinstance(document, dict):
        raise PayloadError("bad_request", "a request is a JSON object")
    return document


def encode_answer(transaction: str | None, data: Mapping[str, Any], error: str = "") -> bytes:
    """An answer; with an `error` where it was refused."""
    document: dict[str, Any] = {"status": "error" if error else "ok", "data": data}
    if error:
        document["error"] = error
    if transaction is not None:
        document["transaction"] = transaction
    return orjson.dumps(document)


def decode_answer(payload: bytes, transaction: str) -> dict[str, Any] | None:
    """The answer to the request of this transaction; None for any other message, of whatever bytes."""
    try:
        document = _object(payload)
    except PayloadError:
        return None
    return document if document.get("transaction") == transaction else None


def event_data(event: Event) -> dict[str, Any]:
    """An event in an answer, as it is on its own topic."""
    document: dict[str, Any] = orjson.loads(encode_event(event))
    return document
