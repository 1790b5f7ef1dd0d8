"""`anomgan transfer MODEL CSV --to DEVICE`: one device's recording as another device's."""

from pathlib import Path

import click

from anomgan_cli.recordings import Recordings, files_for, recordings_option, series_out_option
from anomgan_cli.synthesis_inputs import given_option, windows_bar
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@recordings_option()
@click.option("--to", "target", required=True, metavar="DEVICE", help="A device that the model was trained with.")
@click.option(
    "--from", "origin", metavar="DEVICE", help="Whose recording it is; left out: the file's or device's name."
)
@series_out_option
@given_option
def transfer(
    model: Path, recordings: Recordings, target: str, origin: str | None, out: Path, given: dict[str, float | str]
) -> None:
    """Write CSV or Parquet of one device as it would be of another, so that a model of that one can judge it.

    \b
    anomgan train pump-1.csv pump-2.csv --synthesizer --condition device --out pumps-gan.safetensors
    anomgan transfer pumps-gan.safetensors pump-2-today.csv --from pump-2 --to pump-1 --out as-pump-1.csv
    anomgan score pump-1.safetensors as-pump-1.csv --out scores.csv

    Devices are called as the files that the model was trained on. The recordings need not be of the same time.
    """
    from anomgan.adapters.series_files import check_ending, write_series
    from anomgan.synthesis.synthesizer import Synthesizer

    check_ending(out)
    maker = Synthesizer.load(model)
    several = recordings.read(maker)
    for path, one in zip(files_for(out, [one.device for one in several]), several, strict=True):
        with windows_bar("transferring") as watch:
            moved = maker.transfer(one, target, origin=origin, given=given, on_windows=watch)
        write_series(path, moved)
        say(f"wrote {path}: {len(moved)} rows of {origin or one.device} as of {target}")
