"""Payload bytes -> text, or a JSON document in which every float is finite."""

import json
import math
from typing import NoReturn

import orjson

from anomgan.errors import PayloadError


class NotFinite:
    """Stands for Infinity or a number too large for a float: no value, yet no reason to lose the rest."""


NOT_FINITE = NotFinite()


def parse_document(payload: bytes) -> object:
    """The JSON document in a payload: dict, list, str, int, float, bool, None, or NOT_FINITE; NaN is None (missing).

    Raises PayloadError with the reason empty_payload, wrong_encoding or broken_json.
    """
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return _parse_lenient(payload, error)


def _parse_lenient(payload: bytes, strict: orjson.JSONDecodeError) -> object:
    """A second try for what many devices send although JSON has no word for it: NaN, Infinity, 1e400."""
    text = parse_text(payload)
    try:
        document: object = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_constant)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False, default=repr).encode()
    except UnicodeEncodeError:
        # nothing that stores or tells text could take it
        raise PayloadError("wrong_encoding", "half of a surrogate pair is no character") from None
    except (ValueError, RecursionError):
        _broken(strict)
    return document


def parse_text(payload: bytes) -> str:
    """The text in a payload; PayloadError with the reason empty_payload or wrong_encoding."""
    if not payload.strip():
        raise PayloadError("empty_payload", "the payload is empty")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError("wrong_encoding", f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise PayloadError("wrong_encoding", "the payload starts with a byte order mark")
    return text


def _broken(error: orjson.JSONDecodeError) -> NoReturn:
    raise PayloadError("broken_json", f"not JSON: {error.msg} at byte {error.pos}") from None


def _number(text: str) -> float | NotFinite:
    number = float(text)
    return number if math.isfinite(number) else NOT_FINITE


def _constant(name: str) -> NotFinite | None:
    return None if name == "NaN" else NOT_FINITE
