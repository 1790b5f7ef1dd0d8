"""Recordings of MQTT messages: a text file with a JSON object on each line, first the head, then one per message.

    {"format":"anomgan capture","version":1,"broker":"localhost:1883","topics":["#"],"mqtt":5}
    {"time_ns":1767225600123456789,"topic":"plant/pump-1/telemetry","qos":1,"retain":false,"text":"{\\"flow\\":3.5}"}
    {"time_ns":1767225600124000000,"topic":"spBv1.0/a/NDATA/b","qos":0,"retain":false,"base64":"CAESAA=="}

time_ns: when it came, nanoseconds since 1970 UTC. The payload is `text` where its bytes are UTF-8 and `base64` where
they are not: both give back the very bytes. retain: as the broker said it. Lines are only ever added, so that a program
that is killed leaves whole lines and at most the beginning of one, which readers leave out and tell of. The same
compressed with gzip is told by its content; it is cut into pieces that can be read as far as they were written.
"""

import base64
import binascii
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from anomgan.adapters.ports import Recorded
from anomgan.errors import DataError

FORMAT, VERSION = "anomgan capture", 1
_OPENING = b'{"format":"anomgan capture"'
_OPENING_LOOSELY = re.compile(rb'\s*\{\s*"format"\s*:\s*"anomgan capture"')  # as other programs write it
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 18
_LONGEST_TOPIC = 65_535
_LONGEST_HEAD = 1_000_000
_LONGEST_PAYLOAD = 268_435_455
LONGEST_LINE = 6 * (_LONGEST_PAYLOAD + _LONGEST_TOPIC) + 1000
"""bytes; JSON takes six letters for a control character"""
_KEYS = {"time_ns", "topic", "qos", "retain"}


class CaptureWriter:
    """A new capture; what was added before the last `flush` is there to be read, whatever happens afterwards."""

    def __init__(self, path: str | Path, about: Mapping[str, Any], *, replace: bool = False) -> None:
        """DataError where the file is there already or cannot be made; a name that ends in .gz is compressed."""
        self._path = Path(path)
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if self._path.suffix == ".gz" else None
        try:
            self._file = self._path.open("wb" if replace else "xb")
        except FileExistsError:
            raise DataError(f"{path}: it is there already; --force replaces it, --out writes another") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}") from None
        self._put(orjson.dumps({"format": FORMAT, "version": VERSION, **about}) + b"\n")
        self.flush()

    def add(self, messages: Iterable[Recorded]) -> None:
        """Add messages; they are safe after `flush`."""
        self._put(b"".join(map(_line, messages)))

    def flush(self) -> None:
        """Hand all that was added to the system; DataError where it cannot be written."""
        try:
            if self._packer is not None:
                self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
            self._file.flush()
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """End the file and put it on the disk; safe to call twice."""
        if self._file.closed:
            return
        try:
            if self._packer is not None:
                self._file.write(self._packer.flush(zlib.Z_FINISH))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror}") from None

    def _put(self, content: bytes) -> None:
        try:
            self._file.write(content if self._packer is None else self._packer.compress(content))
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror}") from None


class CaptureReader:
    """The messages of a capture in order, read as they are asked for. `torn`: what its last line lacks, "" = nothing.

    about: what its head says. DataError where the file is no capture, of another version, or damaged before its end.
    """

    def __init__(self, path: str | Path, longest_line: int = LONGEST_LINE) -> None:
        self.torn = ""
        self._path = str(path)
        self._longest = longest_line
        head = next(self._lines(), (0, b""))[1]
        if not head.endswith(b"\n"):
            why = "its first line is torn: not one message was recorded" if head else "the file is empty"
            raise DataError(f"{path}: {why}")
        about = self._object(1, head)
        if about.get("format") != FORMAT:
            raise DataError(f"{path}: not a capture of `anomgan record`")
        if about.get("version") != VERSION:
            said = about.get("version")
            raise DataError(f"{path}: a capture of version {said}; this anomgan reads version {VERSION}")
        self.about: Mapping[str, Any] = about

    def __iter__(self) -> Iterator[Recorded]:
        lines = self._lines()
        next(lines, None)
        for number, line in lines:
            if not line.endswith(b"\n"):
                try:
                    orjson.loads(line)
                except orjson.JSONDecodeError:
                    self.torn = f"{self._path}, line {number}: torn off after {len(line)} bytes, and left out"
                    return
            yield _recorded(f"{self._path}, line {number}", self._object(number, line))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line with its end) of every line; the last may lack its end. DataError for one too long."""
        number, begun, length = 0, list[bytes](), 0  # the pieces of a line that goes on
        for chunk in self._chunks():
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                number += 1
                yield number, b"".join((*begun, line, b"\n"))
                begun.clear()
                length = 0
            begun.append(rest)
            length += len(rest)
            if length > (most := self._longest if number else _LONGEST_HEAD):
                raise DataError(f"{self._path}, line {number + 1}: longer than {most:,} bytes, so no line of a capture")
        if torn := b"".join(begun):
            yield number + 1, torn

    def _chunks(self) -> Iterator[bytes]:
        try:
            with Path(self._path).open("rb") as file:
                packed = file.read(2) == _GZIP
                file.seek(0)
                if not packed:
                    while chunk := file.read(_CHUNK):
                        yield chunk
                    return
                yield from _unpack(file)
        except zlib.error as error:
            raise DataError(f"{self._path}: damaged: {error}") from None
        except FileNotFoundError:
            raise DataError(f"{self._path}: no such file") from None
        except OSError as error:
            raise DataError(f"{self._path}: {error.strerror}") from None

    def _object(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{self._path}, line {number}: not JSON: {error}") from None
        if not isinstance(found, dict):
            raise DataError(f"{self._path}, line {number}: not a JSON object")
        return found


def is_capture(path: str | Path) -> bool:
    """Whether a file begins as a capture does, compressed or not, torn in its first line too; False without a file."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_CHUNK)
    except OSError:
        return False
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, _CHUNK)
        except zlib.error:
            return False
    return bool(_OPENING_LOOSELY.match(head)) or (len(head) > 1 and _OPENING.startswith(head))


def _unpack(file: BinaryIO) -> Iterator[bytes]:
    """What a gzip file holds as far as it goes; one that a killed program left has no end."""
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    while chunk := file.read(_CHUNK):
        while chunk:
            yield unpacker.decompress(chunk, _CHUNK)
            chunk = unpacker.unconsumed_tail
            if unpacker.eof:
                chunk = unpacker.unused_data
                unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    yield unpacker.flush()


def _line(message: Recorded) -> bytes:
    """One message as its line."""
    record: dict[str, Any] = {
        "time_ns": message.time_ns,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
    }
    try:
        record["text"] = message.payload.decode()
    except UnicodeDecodeError:
        record["base64"] = base64.b64encode(message.payload).decode()
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _recorded(place: str, record: Mapping[str, Any]) -> Recorded:
    """The message that a line holds; DataError names the line and the key."""
    wrong = _KEYS - record.keys()
    if wrong:
        raise DataError(f"{place}: {', '.join(sorted(wrong))} is missing")
    time_ns, topic, qos, retain = record["time_ns"], record["topic"], record["qos"], record["retain"]
    if type(time_ns) is not int or not 0 <= time_ns < 1 << 63:
        raise DataError(f"{place}: time_ns: {time_ns!r} is no number of nanoseconds")
    if not isinstance(topic, str) or not topic or any(letter in topic for letter in "+#\0"):
        raise DataError(f"{place}: topic: {topic!r} cannot be published to")
    if len(topic.encode()) > _LONGEST_TOPIC:
        raise DataError(f"{place}: topic: longer than MQTT allows")
    if type(qos) is not int or qos not in (0, 1, 2):
        raise DataError(f"{place}: qos: {qos!r} is none of 0, 1, 2")
    if type(retain) is not bool:
        raise DataError(f"{place}: retain: {retain!r} is neither true nor false")
    text, coded = record.get("text"), record.get("base64")
    if (text is None) == (coded is None) or not isinstance(coded if text is None else text, str):
        raise DataError(f"{place}: the payload is a string, as either text or base64")
    if coded is None:
        return Recorded(time_ns, topic, str(text).encode(), qos, retain)
    try:
        return Recorded(time_ns, topic, base64.b64decode(coded, validate=True), qos, retain)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{place}: base64: {error}") from None
