"""`anomgan record BROKER`: keep every message that passes, to be played back later."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.broker_access import access_options, parse_broker
from anomgan_cli.terminal import log_lines, say

if TYPE_CHECKING:
    from anomgan.adapters.ports import Recorded

STEP_S = 0.25
LINE_EVERY_S = 10.0


@dataclass(slots=True)
class Recording:
    """How far a recording is."""

    messages: int = 0
    payload_bytes: int = 0
    topics: set[str] = field(default_factory=set)

    def count(self, messages: "Sequence[Recorded]") -> None:
        """Count what was added to the file."""
        self.messages += len(messages)
        self.payload_bytes += sum(len(message.payload) for message in messages)
        self.topics.update(message.topic for message in messages)

    def told(self, seconds: float) -> str:
        """In words."""
        size = f"{self.payload_bytes:,} bytes"
        return f"{self.messages:,} messages on {len(self.topics):,} topics, {size}, in {seconds:.1f} s"


@click.command()
@click.argument("broker", callback=parse_broker, metavar="HOST[:PORT]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file; compressed if it ends in .gz.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--topic", "topics", multiple=True, default=["#"], show_default=True, help="What to record; may come again."
)
@click.option("--for", "lasting", metavar="30m", help="How long: 90s, 30m, 6h; left out: until Ctrl-C.")
@click.option("--mqtt", type=click.Choice(["3", "5"]), help="MQTT 3.1.1 or 5.  [default: 5 where the broker speaks it]")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@access_options
def record(
    broker: dict[str, Any],
    out: Path,
    force: bool,
    topics: Sequence[str],
    lasting: str | None,
    mqtt: str | None,
    quiet: bool,
    **access: Any,
) -> None:
    """Record the messages of a broker: topic, payload to the byte, QoS, retain flag and time of each.

    A line of JSON for each message, so that it can be searched, cut and compared; payloads that are no text stand
    there as base64. Killed at any moment the file is good up to the last half of a second. Only subscribes (QoS 2,
    so that each message keeps its own): nothing is published. Ctrl-C ends the recording cleanly. In MQTT 3.1.1 a
    broker does not tell of a live message whether it was published to be retained. Properties of MQTT 5 are not kept.

    \b
    anomgan record localhost --out capture.jsonl
    anomgan record plant.example:8883 --tls --topic 'plant/#' --for 30m --out capture.jsonl.gz
    anomgan simulate --replay capture.jsonl.gz --broker localhost --speed max
    """
    import logging
    from contextlib import closing

    from anomgan.adapters.capture_file import CaptureWriter
    from anomgan.adapters.files import check_writable
    from anomgan.adapters.mqtt_tap import check_filter, open_tap
    from anomgan.adapters.signals import stopping
    from anomgan.config import BrokerConfig, parse_config
    from anomgan.errors import DataError
    from anomgan.wire.history_query import duration_s

    log_lines(logging.WARNING)
    config = parse_config(BrokerConfig, {**broker, **access}, "anomgan record")
    limit_s = float("inf") if lasting is None else duration_s(lasting)
    for topic in topics:
        check_filter(topic)
    check_writable(out)
    if out.exists() and not force:
        raise DataError(f"{out}: it is there already; --force replaces it, --out writes another")
    recording, progress = Recording(), _Progress(limit_s, quiet)
    with stopping() as stop, closing(open_tap(config, topics, None if mqtt is None else int(mqtt))) as tap:
        if tap.config.version != 5 and mqtt is None:
            say("note: no MQTT 5 here, so live messages do not say whether they are to be retained", err=True)
        about = {"broker": f"{config.host}:{config.port}", "topics": list(topics), "mqtt": tap.config.version}
        with closing(CaptureWriter(out, about, replace=force)) as writer:

            def keep(messages: "Sequence[Recorded]") -> None:
                if messages:
                    writer.add(messages)
                    writer.flush()
                    recording.count(messages)

            begun_s = time.monotonic()
            while not stop.is_set() and (passed_s := time.monotonic() - begun_s) < limit_s:
                progress.tell(passed_s, recording)
                keep(tap.receive(min(STEP_S, limit_s - passed_s)))
            keep(tap.rest())
            passed_s = time.monotonic() - begun_s
        progress.tell(passed_s, recording, last=True)
        for note in _notes(tap.connections, tap.reason, tap.overflowed, tap.unreadable):
            say(f"note: {note}", err=True)
    say(f"wrote {out}: {recording.told(passed_s)}; {out.stat().st_size:,} bytes of file")


def _notes(connections: int, reason: str, overflowed: int, unreadable: int) -> list[str]:
    """What a recording may lack."""
    found = [f"{reason}; what passed since then is missing"] if reason else []
    if connections > 1:
        found.append(f"connected {connections} times: what passed meanwhile is missing, retained messages came again")
    if overflowed:
        found.append(f"{overflowed:,} messages of QoS 0 came faster than they could be written, and are missing")
    if unreadable:
        found.append(f"{unreadable:,} messages whose topic is no UTF-8 are missing")
    return found


class _Progress:
    """Tells on stderr how it goes: in one line of a terminal, elsewhere in a line now and then."""

    def __init__(self, limit_s: float, quiet: bool) -> None:
        self._limit_s = limit_s
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._told_s = -LINE_EVERY_S

    def tell(self, passed_s: float, recording: Recording, *, last: bool = False) -> None:
        """Say how far it is, if it is time to."""
        if self._quiet or not (self._live or last or passed_s - self._told_s >= LINE_EVERY_S):
            return
        self._told_s = passed_s
        whole = "" if self._limit_s == float("inf") else f" of {self._limit_s:g}"
        said = f"{passed_s:.0f} s{whole}: {recording.messages:,} messages on {len(recording.topics):,} topics"
        say(said, err=True, over=self._live, nl=last or not self._live)
