"""`anomgan impute MODEL CSV`: what is missing in a recording, filled in with a band."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.completion import Completion, completion_options
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.records import TimeSeries
    from anomgan.synthesis.imputed import Imputed
    from anomgan.synthesis.synthesizer import Synthesizer


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@completion_options
def impute(model: Path, wanted: Completion) -> None:
    """Fill in what CSV or Parquet lacks of MODEL's channels: empty cells, missing rows, whole channels.

    \b
    anomgan impute pump-gan.safetensors pump.csv --band --out filled.csv

    What is there stays as it is. A gap in time is filled up to the length of a window, longer ones stay. MODEL is one
    of `anomgan train --synthesizer`. Instead of CSV, --from-influx takes what an InfluxDB holds (`anomgan train --help`
    says how to ask).
    """

    def verb(maker: "Synthesizer", one: "TimeSeries", **how: Any) -> "Imputed":
        return maker.impute(one, **how)

    for path, one, found in wanted.write(model, "imputing", verb):
        inserted, rows = len(found.series) - len(one), len(found.series)
        say(f"wrote {path}: {rows} rows, {inserted} of them new, {int(found.hidden.sum())} cells filled in")
