"""What the commands that read a recorded series ask for, and how they read it for a model."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from anomgan_cli.terminal import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomgan.detector import Detector
    from anomgan.records import TimeSeries
    from anomgan.synthesis.synthesizer import Synthesizer

Command = TypeVar("Command", bound=Callable[..., Any])
_LABEL_NAMES = {"anomaly", "anomalous", "is_anomaly", "label", "fault", "attack", "changepoint", "class", "target"}


def parse_rows(context: click.Context, parameter: click.Parameter, value: str) -> slice:
    """`:400` -> slice(None, 400)."""
    parts = value.split(":")
    try:
        start, stop = (int(part) if part.strip() else None for part in parts)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not START:STOP, such as :400 or 400:") from None
    return slice(start, stop)


def names(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Several names, given with commas or by repeating the option."""
    return tuple(name.strip() for part in value for name in part.split(",") if name.strip())


def some_names(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Several names, each once; at least one."""
    found = tuple(dict.fromkeys(names(context, parameter, value)))
    if not found:
        raise click.BadParameter("name at least one")
    return found


time_option = click.option("--time", metavar="COLUMN", help="Column of the times; found by itself where it is plain.")
rows_option = click.option(
    "--rows",
    callback=parse_rows,
    default=":",
    metavar="START:STOP",
    help="Take these rows only, such as :400 or 400: (the first row is 0).",
)
ignore_option = click.option(
    "--ignore", multiple=True, callback=names, metavar="A,B", help="Columns that are no channels, such as labels."
)
out_option = click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder for results; made if missing."
)
steps_option = click.option("--steps", type=int, help="Training steps at most; left out: chosen from the data.")


def suite_option(default: str, said: str) -> Callable[[Command], Command]:
    """--suite, the labelled data sets by name; its help says `said`."""
    return click.option(
        "--suite",
        "suites",
        multiple=True,
        callback=some_names,
        metavar="A,B",
        default=[default],
        show_default=True,
        help=said,
    )


def make_folder(path: Path) -> None:
    """The folder for results; DataError where it cannot be."""
    from anomgan.errors import DataError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be made: {error.strerror}") from None


def read_for_training(
    paths: Sequence[Path],
    time: str | None,
    ignore: Sequence[str],
    channels: Sequence[str],
    rows: slice,
    *,
    err: bool = False,
) -> "list[TimeSeries]":
    """One series per file, told as they are read (err: on stderr); a channel that looks like a label is pointed out.

    DataError where a file has other channels than the first, or one of them in another unit; their order is free.
    """
    from anomgan.adapters.files import read_series
    from anomgan.errors import DataError

    several: list[TimeSeries] = []
    for path in paths:
        wanted = list(channels) or None
        one = read_series(path, time=time, ignore=ignore, channels=wanted, rows=rows)
        if several:
            first = several[0]
            odd = sorted(set(one.channels) ^ set(first.channels))
            if odd:
                raise DataError(f"{path}: channels differ from those of {paths[0]}: {', '.join(odd)}")
            check_units(path, one, first, str(paths[0]))
            one = read_series(path, time=time, ignore=ignore, channels=first.channels, rows=rows)
        say(describe(path, one), err=err)
        several.append(one)
    for name in several[0].channels:
        if name.lower() in _LABEL_NAMES:
            say(f"note: channel {name!r} looks like a label; leave it out with --ignore {name}", err=True)
    return several


def read_for_model(
    model: "Detector | Synthesizer",
    path: Path,
    time: str | None,
    label: str | None,
    ignore: Sequence[str],
    rows: slice,
    *,
    least: int,
    columns: Sequence[str] = (),
    may_be_dead: bool = False,
) -> "TimeSeries":
    """The model's channels of a file, and other columns; those it lacks and those it has besides are told on stderr.

    A channel that the file lacks counts as missing. DataError where it has none of them, one in another unit, fewer
    than `least` rows, or, unless it `may_be_dead`, one without a single value.
    """
    from anomgan.adapters.columns import TIME_NAMES
    from anomgan.adapters.files import read_channels, read_series
    from anomgan.errors import DataError

    there = read_channels(path)
    wanted = [name for name in model.channels if name in there and name not in ignore]
    if not wanted:
        raise DataError(f"{path}: none of the model's channels is there: {', '.join(model.channels)}")
    wanted += [name for name in columns if name in there and name not in ignore]
    series = read_series(
        path, time=time, label=label, ignore=ignore, channels=wanted, rows=rows, may_be_dead=may_be_dead
    )
    check_units(path, series, model, "the model")
    if len(series) < least:
        raise DataError(f"{path}: {len(series)} rows, fewer than the {least} of one window of the model")
    say(describe(path, series))
    told = {time, label, *ignore} | (set() if time else {name for name in there if name.lower() in TIME_NAMES})
    tell_unlike(
        "the file",
        missing=[name for name in model.channels if name not in wanted],
        unused=[name for name in there if name not in wanted and name not in told],
    )
    return series


def tell_unlike(where: str, *, missing: Sequence[str], unused: Sequence[str]) -> None:
    """Say on stderr which of a model's channels are not there, and what is there and not the model's."""
    if missing:
        say(f"note: {where} lacks {', '.join(missing)}: counted as missing", err=True)
    if unused:
        say(f"note: not a channel of the model, left out: {', '.join(unused)}", err=True)


def check_units(
    path: Path, series: "TimeSeries", other: "TimeSeries | Detector | Synthesizer", name_of_other: str
) -> None:
    """DataError where both name a unit for a channel and the units differ."""
    from anomgan.errors import DataError

    units = dict(zip(other.channels, other.units, strict=True))
    for name, unit in zip(series.channels, series.units, strict=True):
        if unit and units.get(name) and unit != units[name]:
            raise DataError(f"{path}: channel {name!r} is in {unit}, but in {units[name]} for {name_of_other}")


def by_row(values: "NDArray[Any]", newest: "NDArray[np.int64]") -> "NDArray[Any]":
    """What was said of windows (N, ...) as rows (T, ...), NaN in warm-up."""
    import numpy as np

    known = (newest >= 0).reshape(-1, *[1] * (values.ndim - 1))
    if len(values) == 0:
        return np.full((len(newest), *values.shape[1:]), np.nan)
    return np.where(known, values[np.maximum(newest, 0)], np.nan).astype(values.dtype)


def describe(path: Path | str, series: "TimeSeries") -> str:
    """`pump.csv: 747 rows of 8 channels, 1 s apart, 2020-03-09 10:21:14 to 10:34:32 UTC`."""
    plural = "" if len(series.channels) == 1 else "s"
    return (
        f"{path}: {len(series)} rows of {len(series.channels)} channel{plural}, {series.period_s:g} s apart, "
        f"{moment(float(series.times[0]))} to {moment(float(series.times[-1]))}"
    )


def moment(time_s: float) -> str:
    """A time for people: a UTC date, or plain seconds where it is none."""
    from anomgan.adapters.files import is_date

    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S}" if is_date(time_s) else f"{time_s:g} s"
