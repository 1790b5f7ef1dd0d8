"""`anomgan transfer MODEL CSV --to DEVICE`: one device's recording as another device's."""

from collections.abc import Sequence
from pathlib import Path

import click

from anomgan_cli.inputs import ignore_option, rows_option, time_option
from anomgan_cli.synthesis_inputs import given_option, read_for_synthesizer, windows_bar
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), metavar="CSV")
@click.option("--to", "target", required=True, metavar="DEVICE", help="A device that the model was trained with.")
@click.option("--from", "origin", metavar="DEVICE", help="Whose recording it is; left out: the file's name.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV or Parquet to write.")
@given_option
@time_option
@ignore_option
@rows_option
def transfer(
    model: Path,
    file: Path,
    target: str,
    origin: str | None,
    out: Path,
    given: dict[str, float | str],
    time: str | None,
    ignore: Sequence[str],
    rows: slice,
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
    series = read_for_synthesizer(maker, file, time, ignore, rows)
    with windows_bar("transferring") as watch:
        moved = maker.transfer(series, target, origin=origin, given=given, on_windows=watch)
    write_series(out, moved)
    say(f"wrote {out}: {len(moved)} rows of {file.name} as of {target}")
