"""The recordings that a command takes for a synthesizer: files, or what an InfluxDB holds; and where results go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.influx_input import config_option, from_influx_option, influx_for_synthesizer, refuse_beside
from anomgan_cli.inputs import ignore_option, read_for_model, rows_option, time_option

if TYPE_CHECKING:
    from anomgan.records import TimeSeries
    from anomgan.synthesis.synthesizer import Synthesizer

series_out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV or Parquet to write; of several devices, {device} in it.",
)


@dataclass(frozen=True, slots=True)
class Recordings:
    """Files and what is to be taken of them, or what an InfluxDB is asked for and the configuration that names it."""

    files: tuple[Path, ...]
    time: str | None
    ignore: Sequence[str]
    rows: slice
    asked: str | None
    config: Path | None

    def read(self, maker: "Synthesizer") -> "list[TimeSeries]":
        """A series of each file or device, told as it is: the model's channels, and the columns of its conditions."""
        from anomgan.synthesis.conditions import columns_of

        if self.asked is not None and self.config is not None:
            return influx_for_synthesizer(maker, self.config, self.asked)
        columns = columns_of(maker.parts.conditions)
        return [
            read_for_model(
                maker, path, self.time, None, self.ignore, self.rows, least=1, columns=columns, may_be_dead=True
            )
            for path in self.files
        ]


def recordings_option(*, several: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """CSV or --from-influx, exactly one of them, and the options of either; the command gets them as `recordings`."""
    argument = click.argument(
        "files",
        nargs=-1 if several else 1,
        required=False,
        type=click.Path(path_type=Path),
        metavar="[CSV...]" if several else "[CSV]",
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def collected(
            *,
            files: tuple[Path, ...] | Path | None,
            time: str | None,
            ignore: Sequence[str],
            rows: slice,
            from_influx: str | None,
            config_path: Path | None,
            **others: Any,
        ) -> Any:
            paths = () if files is None else files if isinstance(files, tuple) else (files,)
            if bool(paths) == (from_influx is not None):
                raise click.UsageError(f"give {'CSV...' if several else 'CSV'} or --from-influx, one of them")
            if from_influx is not None:
                refuse_beside("--from-influx", time=time, ignore=ignore, rows=rows)
            if (from_influx is None) != (config_path is None):
                raise click.UsageError("--from-influx and --config, which says how to get in, go together")
            return command(recordings=Recordings(paths, time, ignore, rows, from_influx, config_path), **others)

        given: Callable[..., Any] = collected
        for one in (rows_option, ignore_option, time_option, config_option, from_influx_option, argument):
            given = one(given)
        return given

    return decorate


def files_for(out: Path, devices: Sequence[str]) -> list[Path]:
    """Where the series of each device goes: {device} in the name of `out` is its name, with what no file's name can
    have as _. UsageError for several without it, DataError where two would be one file."""
    from anomgan.adapters.series_files import check_ending
    from anomgan.errors import DataError

    check_ending(out)
    if len(devices) > 1 and "{device}" not in out.name:
        raise click.UsageError("several devices are several files: put {device} into --out")
    paths = [
        out.with_name(out.name.replace("{device}", device.translate({0: "_", ord("/"): "_"}))) for device in devices
    ]
    for number, path in enumerate(paths):
        if path in paths[:number]:
            first, second = devices[paths.index(path)], devices[number]
            raise DataError(f"{path}: devices {first!r} and {second!r} would be one file")
    return paths
