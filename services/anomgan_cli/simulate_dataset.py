"""`anomgan simulate CONFIG --to-parquet DIR`: training and test sets straight from the generators."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.simulate_tables import models_beside
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.simulate import ScenarioConfig
    from anomgan_simulator.dataset import DatasetTotals, Form


def make_dataset(
    tables: "ScenarioConfig",
    path: Path,
    folder: Path,
    form: "Form",
    days: float | None,
    train_days: float | None,
    *,
    only_check: bool,
    quiet: bool,
) -> None:
    """Write the data set of a scenario and say what was written; Ctrl-C leaves whole files and no manifest."""
    import time

    from tqdm import tqdm

    from anomgan.adapters.signals import stopping
    from anomgan.simulate.dataset import plan_dataset
    from anomgan_simulator.dataset import values_of, write_dataset
    from anomgan_simulator.describe import describe_scenario

    plan = plan_dataset(tables, str(path), days, train_days, models_beside(path))
    said = f"{plan.train_rows:,} rows to learn from and {plan.test_rows:,} to be judged by"
    if only_check:
        for line in (f"{path}: valid", *describe_scenario(plan.scenario)):
            say(line)
        say(f"data set: {said} of each device, {values_of(plan):,} channel values")
        return
    begun_s = time.monotonic()
    shown = sys.stderr.isatty() and not quiet
    with (
        stopping() as stop,
        tqdm(total=values_of(plan), unit=" values", unit_scale=True, disable=not shown) as bar,
    ):

        def report(totals: "DatasetTotals") -> None:
            bar.update(totals.values - bar.n)

        totals = write_dataset(plan, folder, form, stop, report)
    if totals.stopped:
        say(
            f"stopped: {folder} has the files of {totals.devices} devices and no manifest.json: it is no whole data "
            "set; delete it",
            err=True,
        )
        raise click.Abort
    seconds = time.monotonic() - begun_s
    say(
        f"wrote {folder}: {totals.devices:,} devices, {said} of each, {totals.faults:,} faults; {totals.values:,} "
        f"channel values, {totals.bytes / 1e6:,.1f} MB, in {seconds:.1f} s"
    )
