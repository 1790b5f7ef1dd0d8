"""The options of `anomgan simulate`: how they are read, and which of them mean something for what it is asked to do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from anomgan_cli.broker_access import ACCESS

Task = Literal["scenario", "series", "capture", "data set"]
_SAID: Mapping[Task, str] = {
    "scenario": "CONFIG",
    "series": "--replay",
    "capture": "--replay of a capture",
    "data set": "--to-parquet or --to-csv",
}
_PUBLISHING: tuple[Task, ...] = ("scenario", "series", "capture")
_ENCODING: tuple[Task, ...] = ("scenario", "series")
_GOES_WITH: Mapping[str, tuple[Task, ...]] = {
    "--time": ("series",),
    "--ignore": ("series",),
    "--label": ("series",),
    "--device": ("series",),
    "--site": ("series",),
    "--rename": ("capture",),
    "--to-parquet": ("data set",),
    "--to-csv": ("data set",),
    "--days": ("data set",),
    "--train-days": ("data set",),
    "--seed": ("scenario", "data set"),
    "--control": ("scenario",),
    "--start": ("scenario", "series", "data set"),
    "--topic": _ENCODING,
    "--dialect": _ENCODING,
    "--truth": _ENCODING,
    "--speed": _PUBLISHING,
    **dict.fromkeys(("--broker", *ACCESS), _PUBLISHING),
    "--summary": _PUBLISHING,
    "--rows": _PUBLISHING,
}


def refuse_strays(task: Task, given: Mapping[str, object]) -> None:
    """UsageError for the first option that was given and means nothing for the task."""
    for option, tasks in _GOES_WITH.items():
        value = given[option]
        if value is False or value in (None, "", (), {}, slice(None)) or task in tasks:  # 0 is a seed, and a speed
            continue
        if task == "scenario":
            raise click.UsageError(f"{option} goes with {_SAID[tasks[0]]}")
        raise click.UsageError(f"{option} does not go with {_SAID[task]}")


def check_files(truth: Path | None, summary: Path | None) -> None:
    """DataError where the totals could not be written in the end, which is too late to say so."""
    from anomgan.adapters.files import check_writable

    if summary is None:
        return
    if truth is not None and truth.resolve() == summary.resolve():
        raise click.UsageError(f"--truth and --summary name one file, {summary}")
    check_writable(summary)


def parse_dialect(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A name of `anomgan.config.DialectName`, which is imported only when it is asked for."""
    if value is not None:
        from typing import get_args

        from anomgan.config import DialectName

        if value not in get_args(DialectName):
            raise click.BadParameter(f"{value!r} is none of {', '.join(get_args(DialectName))}")
    return value


def parse_speed(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`20` -> 20.0, `max` -> 0.0."""
    if value is None or value == "max":
        return None if value is None else 0.0
    try:
        speed = float(value)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter(f"{value!r} is neither a positive number nor max")
    return speed


def parse_start(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """`now` or an ISO 8601 time, in UTC where it names no zone."""
    if value is None or value == "now":
        return None if value is None else datetime.now(UTC).replace(microsecond=0)
    try:
        start = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither now nor a time such as 2024-01-01T00:00:00Z") from None
    return start if start.tzinfo is not None else start.replace(tzinfo=UTC)
