"""The one door to a terminal: whatever a command prints or logs, no letter of it that came from outside steers it."""

import logging
import sys
from dataclasses import dataclass
from typing import Protocol

import click

from anomgan.shown import block, printable


def say(text: object = "", *, err: bool = False, nl: bool = True, over: bool = False, bold: bool = False) -> None:
    """Print lines on stdout, or on stderr. over: in place of the line that the cursor is in; bold: where it can be."""
    shown = printable(str(text)) if over else block(str(text))
    click.echo(("\r\x1b[K" if over else "") + (click.style(shown, bold=True) if bold else shown), err=err, nl=nl)


class Writes(Protocol):
    """What a logging handler writes to."""

    def write(self, text: str, /) -> object:
        """Lines."""
        ...

    def flush(self) -> None:
        """Send them on."""
        ...


def log_lines(level: int, form: str = "%(levelname)s %(message)s", stream: Writes | None = None) -> None:
    """Send what is logged to stderr, or to this stream."""
    logging.basicConfig(stream=Shown(stream), level=level, format=form)


def guard_warnings() -> None:
    """What is logged where nobody has said whereto goes to stderr, as it does anyway, but through here."""
    logging.lastResort = logging.StreamHandler(Shown())
    logging.lastResort.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Shown:
    """In front of a stream, None = stderr: what it gets has nothing in it but letters that show."""

    stream: Writes | None = None

    def write(self, text: str) -> int:
        """Lines."""
        (self.stream or sys.stderr).write(block(text))
        return len(text)

    def flush(self) -> None:
        """Send them on."""
        (self.stream or sys.stderr).flush()
