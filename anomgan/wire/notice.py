"""Notices for people, as JSON between the turn that makes them and the carrier that sends them."""

from typing import Literal, NamedTuple

import orjson

from anomgan.errors import DataError

Mood = Literal["info", "success", "warning", "failure"]
MOODS = ("info", "success", "warning", "failure")


class Notice(NamedTuple):
    """A title, a text, and what it means."""

    title: str
    body: str
    mood: Mood = "info"


def encode_notice(notice: Notice) -> bytes:
    """A notice as a JSON array."""
    return orjson.dumps(list(notice))


def decode_notice(payload: bytes) -> Notice:
    """The inverse; DataError for anything else."""
    try:
        title, body, mood = orjson.loads(payload)
    except (ValueError, TypeError) as error:
        raise DataError(f"this is no notice: {error}") from None
    if not isinstance(title, str) or not isinstance(body, str) or mood not in MOODS:
        raise DataError("this is no notice: it has no title, no text or another mood")
    return Notice(title, body, mood)
