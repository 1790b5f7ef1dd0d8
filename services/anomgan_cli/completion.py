"""What completing a recording asks for, whichever way cells are missing, and how what was completed is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.recordings import Recordings, files_for, recordings_option, series_out_option
from anomgan_cli.synthesis_inputs import given_option, seed_option, windows_bar

if TYPE_CHECKING:
    from anomgan.records import Floats, TimeSeries
    from anomgan.synthesis.imputed import Imputed

draws_option = click.option(
    "--draws",
    type=click.IntRange(8, 1024),
    default=32,
    show_default=True,
    help="Likely courses that the middle and the band are taken from.",
)
band_option = click.option("--band", is_flag=True, help="Also write NAME.low and NAME.high: 90 % lies between them.")
one_option = click.option(
    "--one", is_flag=True, help="Write one likely course, as rough as real data, instead of the middle of all."
)


@dataclass(frozen=True, slots=True)
class Completion:
    """Recordings to complete, how, and where to."""

    recordings: Recordings
    out: Path
    band: bool
    one: bool
    draws: int
    given: dict[str, float | str]
    seed: int

    def write(
        self, model: Path, doing: str, verb: Callable[..., "Imputed"]
    ) -> "Iterator[tuple[Path, TimeSeries, Imputed]]":
        """Each recording, what a verb of the synthesizer made of it, and the file that this was written to."""
        from anomgan.adapters.series_files import check_ending
        from anomgan.synthesis.synthesizer import Synthesizer

        check_ending(self.out)
        maker = Synthesizer.load(model)
        several = self.recordings.read(maker)
        for path, one in zip(files_for(self.out, [one.device for one in several]), several, strict=True):
            with windows_bar(doing) as watch:
                found = verb(maker, one, given=self.given, draws=self.draws, seed=self.seed, on_windows=watch)
            self._write(path, found)
            yield path, one, found

    def _write(self, path: Path, found: "Imputed") -> None:
        """The middle or one course, and the band if wanted."""
        from anomgan.adapters.series_files import write_series

        series = replace(found.series, values=found.one) if self.one else found.series
        others: dict[str, Floats] = {}
        if self.band:
            for c, name in enumerate(series.channels):
                others |= {f"{name}.low": found.low[:, c], f"{name}.high": found.high[:, c]}
        write_series(path, series, others)


def completion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Recordings, where to, and how they are completed; the command gets them all as `wanted`."""

    @wraps(command)
    def collected(
        *,
        recordings: Recordings,
        out: Path,
        band: bool,
        one: bool,
        draws: int,
        given: dict[str, float | str],
        seed: int,
        **others: Any,
    ) -> Any:
        return command(wanted=Completion(recordings, out, band, one, draws, given, seed), **others)

    asked: Callable[..., Any] = recordings_option()(collected)
    for option in (seed_option, given_option, draws_option, one_option, band_option, series_out_option):
        asked = option(asked)
    return asked
