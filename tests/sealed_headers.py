"""The JSON header of a model file, taken out and put back changed."""

import json
from typing import Any

from anomgan.sealed_file import DIGEST


def header_of(whole: bytes) -> bytes:
    """What our header is."""
    outer, _ = _parts(whole)
    return str(outer["__metadata__"]["anomgan"]).encode()


def with_header(whole: bytes, header: bytes) -> bytes:
    """The file with its tensors as they are and anything for a header; what is JSON loses its digest, which would
    refuse every change before it is looked at."""
    outer, tensors = _parts(whole)
    text = header.decode("utf-8", "replace")
    try:
        inner = json.loads(text)  # unlike orjson it reads NaN, which a header may have
        if isinstance(inner, dict):
            inner.pop(DIGEST, None)
        text = json.dumps(inner)
    except (ValueError, RecursionError):
        pass
    outer["__metadata__"]["anomgan"] = text
    said = json.dumps(outer).encode()
    return len(said).to_bytes(8, "little") + said + tensors


def _parts(whole: bytes) -> tuple[dict[str, Any], bytes]:
    """The outer header and what is behind it."""
    size = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + size]), whole[8 + size :]
