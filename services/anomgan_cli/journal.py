"""`anomgan journal`: what waits for servers that are away and what they refused, and what to do about it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.inputs import moment
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.adapters.journal_operator import Amount, Choice, Overview, Part
    from anomgan.config import JournalConfig

ACTIONS = ("show", "retry", "drop")
MOST_REASONS = 20
"""of each addressee's"""
LONGEST_REASON, LONGEST_BODY = 300, 200
"""letters shown; InfluxDB's reasons say what matters at their end"""


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("action", type=click.Choice(ACTIONS), required=False)
@click.argument("numbers", type=int, nargs=-1)
@click.option(
    "--addressee", default="", help="Only what this one refused, such as influx; its name as the table has it."
)
@click.option("--all", "every", is_flag=True, help="With drop: everything (of the addressee).")
@click.option(
    "--out", type=click.Path(path_type=Path), help="With show: write the parts as they are, to load elsewhere."
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Without an action: write the figures as JSON."
)
def journal(
    config: Path,
    action: str | None,
    numbers: tuple[int, ...],
    addressee: str,
    every: bool,
    out: Path | None,
    json_file: Path | None,
) -> None:
    """Show what waits in the journal of a detector service, and what lies in quarantine.

    \b
    anomgan journal CONFIG                  how full it is, what waits for whom, what was refused and why
    anomgan journal CONFIG show             each refused part with its number and reason
    anomgan journal CONFIG retry            the cause is removed: send all of it again
    anomgan journal CONFIG retry 3 5        or these parts, or --addressee influx
    anomgan journal CONFIG drop 3 5         delete parts for good; --addressee NAME or --all for more

    All of it works while the service runs, and while it does not. What is retried waits behind the letters that wait
    already, and what is refused again comes back under a new number. A part that tells of an event overwrites what was
    told of it since: drop it where that was newer.
    """
    from anomgan.adapters.files import read_config
    from anomgan.adapters.journal_operator import Choice
    from anomgan.config import ServiceConfig

    table = read_config(config, ServiceConfig).journal
    path, choice = Path(table.path), Choice(numbers, addressee)
    _require_fitting(action, choice, every, out, json_file)
    if path.resolve() in {written.resolve() for written in (out, json_file) if written is not None}:
        raise click.UsageError(f"{path} is the journal itself; write to another file")
    if action is None:
        _look(table, json_file)
    elif action == "show":
        _show(path, choice, out)
    else:
        _change(path, action, choice)


def _require_fitting(
    action: str | None, choice: "Choice", every: bool, out: Path | None, json_file: Path | None
) -> None:
    """UsageError where options do not go with the action."""
    if action is None and (choice.addressee or every):
        raise click.UsageError(f"say what to do with it: {', '.join(ACTIONS)}")
    if json_file is not None and action is not None:
        raise click.UsageError("--json goes without an action")
    if out is not None and action != "show":
        raise click.UsageError("--out goes with show")
    if every and choice.numbers:
        raise click.UsageError("numbers, or --all; not both")
    if action == "drop" and not (choice.numbers or choice.addressee or every):
        raise click.UsageError("say what to drop: numbers, --addressee NAME, or --all")


# ---------------------------------------------------------------- looking


def _look(table: "JournalConfig", json_file: Path | None) -> None:
    from anomgan.adapters.files import write_bytes
    from anomgan.adapters.journal_operator import overview

    found = overview(Path(table.path))
    limit_bytes = round(table.limit_mb * 1e6)
    for line in overview_lines(table.path, limit_bytes, found):
        say(line)
    if json_file is not None:
        figures = {"path": table.path, "limit_bytes": limit_bytes, **asdict(found)}
        write_bytes(json_file, (json.dumps(figures, indent=2) + "\n").encode())
        say(f"wrote {json_file}")


def overview_lines(path: str, limit_bytes: int, found: "Overview") -> Iterator[str]:
    """How a journal stands, for people."""
    from anomgan.recognise import count
    from anomgan.shown import one_line

    yield (
        f"journal {path}: {found.bytes:,} of {limit_bytes:,} bytes used ({found.bytes / limit_bytes:.1%}), "
        f"{found.file_bytes:,} on disk"
    )
    if found.turns_since_s is None:
        since = "no turns since"
    else:
        since = f"{count(found.turns, 'turn')} since, the first at {moment(found.turns_since_s)}"
    snapshot = f"a snapshot of {found.snapshot_bytes:,} bytes" if found.snapshot_bytes else "no snapshot"
    yield f"state: {snapshot}, {since}"
    if not found.waiting:
        yield "no letters wait"
    else:
        yield "letters that wait:"
        yield from _columns(
            ("addressee", "letters", "bytes"),
            [(one_line(one.addressee), f"{one.letters:,}", f"{one.bytes:,}") for one in found.waiting],
        )
    if not found.refused:
        yield "nothing is in quarantine"
        return
    yield "in quarantine, refused:"
    shown, more = [], []
    for addressee in dict.fromkeys(one.addressee for one in found.refused):
        its = [one for one in found.refused if one.addressee == addressee]
        shown += its[:MOST_REASONS]
        if len(its) > MOST_REASONS:
            parts = sum(one.parts for one in its[MOST_REASONS:])
            more.append(f"  and {count(parts, 'part')} of {one_line(addressee)} for further reasons")
    yield from _columns(
        ("addressee", "parts", "bytes", "since", "reason"),
        [
            (
                one_line(one.addressee),
                f"{one.parts:,}",
                f"{one.bytes:,}",
                moment(one.since_s),
                one_line(one.reason, LONGEST_REASON),
            )
            for one in shown
        ],
    )
    yield from more


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table; numbers are right-aligned under their heads."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if name in ("letters", "parts", "bytes") else cell.ljust(width)
            for name, cell, width in zip(head, row, widths, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()


# ---------------------------------------------------------------- the quarantine


def _show(path: Path, choice: "Choice", out: Path | None) -> None:
    from anomgan.adapters.files import check_writable, write_bytes
    from anomgan.adapters.journal_operator import chosen, quarantined
    from anomgan.errors import DataError
    from anomgan.recognise import count

    if out is None:
        nothing = True
        for part in quarantined(path, choice):
            say(part_line(part))
            nothing = False
        if nothing:
            say(f"journal {path}: nothing is in quarantine")
        return
    check_writable(out)
    amounts = chosen(path, choice)
    if len(amounts) > 1:
        names = ", ".join(one.addressee for one in amounts)
        raise DataError(f"journal {path}: {names} refused something, in different languages; choose by --addressee")
    if not amounts:
        say(f"journal {path}: nothing is in quarantine")
        return
    write_bytes(out, (part.body + b"\n" for part in quarantined(path, choice)))
    say(f"wrote {out}: {count(amounts[0].parts, 'part')} that {amounts[0].addressee} refused")


def part_line(part: "Part") -> str:
    """A part in one line: number, addressee, since when, why, and what it says; all from outside is made printable."""
    from anomgan.shown import one_line

    head = f"{part.number} {one_line(part.addressee)} {moment(part.since_s)}"
    topic = f"{one_line(part.topic)} " if part.topic else ""
    body = one_line(part.body[: 4 * LONGEST_BODY + 4].decode("utf-8", "replace"), LONGEST_BODY)
    return f"{head} {one_line(part.reason, LONGEST_REASON)} | {topic}{body}"


def _change(path: Path, action: str, choice: "Choice") -> None:
    from anomgan.adapters.journal_operator import drop, retry

    moved = retry(path, choice) if action == "retry" else drop(path, choice)
    if not moved:
        say(f"journal {path}: nothing is in quarantine; nothing to {action}")
    elif action == "retry":
        say(f"journal {path}: to be delivered again: {_amounts(moved)}; a running service does it within seconds")
    else:
        say(f"journal {path}: dropped {_amounts(moved)}")


def _amounts(moved: "Sequence[Amount]") -> str:
    from anomgan.recognise import count
    from anomgan.shown import one_line

    return ", ".join(f"{count(one.parts, 'part')} of {one_line(one.addressee)} ({one.bytes:,} bytes)" for one in moved)
