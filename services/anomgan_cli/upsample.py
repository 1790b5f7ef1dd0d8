"""`anomgan upsample MODEL CSV`: a slow recording at a model's full rate."""

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
@click.option("--factor", required=True, type=click.IntRange(2, 64), help="How many times the rate: 2, 4, 8.")
@completion_options
def upsample(model: Path, factor: int, wanted: Completion) -> None:
    """Refine CSV or Parquet to FACTOR times its rate, which must be that of the recordings MODEL was trained on.

    \b
    anomgan upsample pump-gan.safetensors slow.csv --factor 4 --out fine.csv
    anomgan upsample pump-gan.safetensors slow.csv --factor 4 --one --out rough.csv

    Readings stay as they are. The middle of what is likely has the least error and is smoother than life; --one is as
    rough as life. One slow channel among fast ones is a matter for `anomgan impute`.
    """

    def verb(maker: "Synthesizer", one: "TimeSeries", **how: Any) -> "Imputed":
        return maker.upsample(one, factor, **how)

    for path, one, found in wanted.write(model, "refining", verb):
        say(f"wrote {path}: {len(found.series)} rows, {found.series.period_s:g} s apart, of {len(one)}")
