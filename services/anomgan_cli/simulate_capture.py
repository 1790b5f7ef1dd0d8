"""`anomgan simulate --replay CAPTURE`: what `anomgan record` has kept, played back."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.adapters.capture_file import CaptureReader
    from anomgan.adapters.ports import Recorded
    from anomgan.config import BrokerConfig
    from anomgan_simulator.capture_replay import CaptureTotals

SHOWN = 20


def parse_renames(
    context: click.Context, parameter: click.Parameter, value: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """`plant/=copy/` -> ("plant/", "copy/"); `=copy/` goes before every topic."""
    renames = []
    for text in value:
        old, equals, new = text.partition("=")
        if not equals or any(letter in text for letter in "+#\0"):
            raise click.BadParameter(f"{text!r} is not FROM=TO, such as plant/=copy/ or =copy/")
        renames.append((old, new))
    return tuple(renames)


def replay_capture(
    path: Path,
    broker: "BrokerConfig",
    speed: float,
    rows: slice,
    renames: Sequence[tuple[str, str]],
    *,
    summary: Path | None,
    only_check: bool,
    quiet: bool,
) -> None:
    """Play the messages of a capture that `--rows` asks for, or show the first of them; tell what it lacks."""
    from anomgan.adapters.capture_file import CaptureReader
    from anomgan_simulator.capture_replay import describe_capture, run_capture

    first, last = rows.start or 0, rows.stop
    if first < 0 or (last is not None and last <= first):
        raise click.BadParameter("--rows of a capture go from a message up to a later one, such as 3000: or :3000")
    reader = CaptureReader(path)
    messages = islice(reader, first, last)
    if only_check:
        for line in show(path, reader, messages, renames):
            say(line)
    else:

        def report(totals: "CaptureTotals") -> None:
            say(describe_capture(totals), err=True)

        totals = run_capture(messages, broker, speed, renames, summary=summary, report=None if quiet else report)
        say(describe_capture(totals))
    if reader.torn:
        say(f"note: {reader.torn}", err=True)


def show(
    path: Path, reader: "CaptureReader", messages: "Iterator[Recorded]", renames: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """The first messages as they would be sent, and how much there is of them."""
    from anomgan_simulator.capture_replay import renamed
    from anomgan_simulator.describe import describe_messages

    head, topics, size, count, begun_ns, ended_ns = [], set[str](), 0, 0, 0, 0
    for message in messages:
        topic = renamed(message.topic, renames)
        if count < SHOWN:
            head.append((topic, message.payload))
        begun_ns, ended_ns = begun_ns if count else message.time_ns, message.time_ns
        topics.add(topic)
        size, count = size + len(message.payload), count + 1
    seconds = (ended_ns - begun_ns) / 1e9
    said = f"{count:,} messages on {len(topics):,} topics, {size:,} bytes, in {seconds:.1f} s"
    yield f"{path}: {said}, recorded at {reader.about.get('broker', 'some broker')}"
    yield from describe_messages(head)
    if count > SHOWN:
        yield f"and {count - SHOWN:,} more messages"
