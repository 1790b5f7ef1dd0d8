"""Messages and lines of files -> the judge; what cannot be read is counted by reason, and kept as it was heard."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from anomgan.adapters.bounded import read_at_most
from anomgan.adapters.ports import Message
from anomgan.errors import DataError, PayloadError
from anomgan.judging import Judge, Run, ToldEvent, decode_event, decode_truth
from anomgan.shown import one_line
from anomgan.wire.topics import Address, TopicTemplate, parse_template

MOST_BYTES = 1_000_000
MOST_FILE_BYTES = 2_000_000_000
LONGEST_SAMPLE = 200
Add = Callable[[Mapping[str, Any]], None]


class Topics(NamedTuple):
    """Where truth and events are told; templates with {site} and {device}, or filters."""

    truth: TopicTemplate
    events: tuple[TopicTemplate, ...]

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return list(dict.fromkeys([self.truth.filter, *(one.filter for one in self.events)]))


def topics(truth: str, events: Sequence[str]) -> Topics:
    """Checked; ConfigError for a bad template."""
    return Topics(parse_template(truth), tuple(map(parse_template, events)))


class Hearing:
    """Feeds a judge. counters: records by kind, and `<what>.<reason>` for what could not be read. over: whether every
    run that was heard to go on has ended."""

    def __init__(
        self, judge: Judge, keys: Mapping[str, str], add_truth: Add | None = None, add_event: Add | None = None
    ) -> None:
        self.judge = judge
        self.counters: Counter[str] = Counter()
        self.unread: dict[str, str] = {}
        """by counter, what was wrong with the first of its kind"""
        self._keys = dict(keys)
        self._add_truth, self._add_event = add_truth, add_event
        self._runs: dict[tuple[object, ...], bool] = {}

    @property
    def over(self) -> bool:
        """Whether runs were heard to go on, and every one has ended."""
        return bool(self._runs) and all(self._runs.values())

    def message(self, topics: Topics, message: Message) -> None:
        """One message. A retained one is old, perhaps of the run before this; a run that goes on says so in seconds."""
        if len(message.payload) > MOST_BYTES:
            self._count("messages", PayloadError("too_long", f"{len(message.payload)} bytes"), message.topic)
        elif _fits(topics.truth, message.topic):
            self.truth(message.payload, message.topic, retained=message.retained)
        elif message.retained:
            self.counters["events.retained"] += 1
        else:
            self.event(message.payload, message.topic, _address(topics.events, message.topic))

    def truth(self, payload: bytes, where: str, *, retained: bool = False) -> None:
        """One record of the ground truth."""
        try:
            record = decode_truth(payload)
            if retained:
                self.counters["truth.retained"] += 1
                return
            self.judge.add_truth(record)
        except PayloadError as error:
            self._count("truth", error, where)
            return
        if isinstance(record, Run):
            self._runs[record.start_s, record.parts] = record.ended
        self.counters["truth"] += 1
        if self._add_truth is not None:
            self._keep("truth", self._add_truth, payload)

    def event(self, payload: bytes, where: str, address: Address = Address("", "", "")) -> None:  # noqa: B008 a tuple
        """One record of an event."""
        try:
            record = decode_event(payload, self._keys, address)
            self.judge.add_event(record)
        except PayloadError as error:
            self._count("events", error, where)
            return
        self.counters["events"] += 1
        if self._add_event is not None:
            self._keep("events", self._add_event, payload, self._named(record))

    def _keep(self, what: str, add: Add, payload: bytes, more: Mapping[str, Any] = MappingProxyType({})) -> None:
        """A line in the file of what was heard; JSON that only its reader understands has none, and is counted."""
        try:
            add({**json.loads(payload), **more})
        except (ValueError, RecursionError):
            self.counters[f"{what}.not_kept"] += 1

    def _named(self, record: ToldEvent) -> dict[str, Any]:
        """Whose event it is, so that the line needs no topic."""
        named: dict[str, Any] = {self._keys.get("device", "device"): record.device}
        return named if record.site is None else named | {self._keys.get("site", "site"): record.site}

    def _count(self, what: str, error: PayloadError, where: str) -> None:
        name = f"{what}.{error.reason}"
        self.counters[name] += 1
        self.unread.setdefault(name, one_line(f"{where}: {error}", LONGEST_SAMPLE))


def read_lines(path: Path, take: Callable[[bytes, str], None]) -> None:
    """Hand every line that is not empty over, with its place; DataError where the file cannot be read."""
    try:
        content = read_at_most(path, MOST_FILE_BYTES, DataError)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            take(line, f"{path}:{number}")


def _fits(template: TopicTemplate, topic: str) -> bool:
    try:
        return template.match(topic) is not None
    except PayloadError:
        return True  # it does, with a name that cannot be used; the payload has the name that counts


def _address(templates: Sequence[TopicTemplate], topic: str) -> Address:
    for template in templates:
        try:
            found = template.match(topic)
        except PayloadError:
            continue
        if found is not None:
            return found
    return Address("", "", "")
