"""`make chaos`: the trials, one per database, and the line that says how they ended."""

import logging
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
import torch

from chaos.databases import DATABASES
from chaos.plant import train
from chaos.trial import FULL, Outcome, run_trial


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides readings and disturbances.")
@click.option(
    "--database",
    "databases",
    type=click.Choice(sorted(DATABASES)),
    multiple=True,
    help="Only this one; both if left out.",
)
@click.option("--no-mount", is_flag=True, help="Limit the size of files instead of mounting a small tmpfs.")
@click.option("--keep", type=click.Path(path_type=Path, exists=False), help="Leave all files in this new folder.")
def main(seed: int, databases: Sequence[str], no_mount: bool, keep: Path | None) -> None:
    """Disturb the detector service, its broker, its disk and its databases; then count what went wrong."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that no server outlives this
    logging.getLogger("anomgan").setLevel(logging.CRITICAL)  # of connections that this process itself loses
    with tempfile.TemporaryDirectory(prefix="anomgan-chaos-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        model = folder / "pump.safetensors"
        began = time.monotonic()
        train(model)
        click.echo(f"trained a model in {time.monotonic() - began:.0f} s")
        outcomes: list[Outcome] = []
        for number, name in enumerate(databases or DATABASES):
            click.echo(f"{name}, {FULL.devices} devices, seed {seed + number}")
            try:
                outcome = run_trial(folder / name, name, seed + number, FULL, model, click.echo, mount=not no_mount)
            except (pytest.skip.Exception, pytest.fail.Exception) as missing:
                raise SystemExit(f"chaos: {missing}") from None
            describe(outcome)
            outcomes.append(outcome)
    lost, doubled, differing = (
        sum(getattr(outcome.tally, name) for outcome in outcomes) for name in ("lost", "doubled", "differing")
    )
    kills = sum(outcome.kills for outcome in outcomes)
    click.echo(f"lost {lost}, doubled {doubled}, differing {differing} (kills {kills})")
    sys.exit(0 if all(outcome.good for outcome in outcomes) else 1)


def describe(outcome: Outcome) -> None:
    """What became of a trial, in a few lines."""
    heard, told = outcome.told
    click.echo(
        f"{outcome.readings:,} readings, {outcome.again:,} sent again; the service was started {outcome.starts} times; "
        f"disk full by {outcome.disk}; memory {outcome.first_bytes / 1e6:.0f} MB when it began, "
        f"{outcome.peak_bytes / 1e6:.0f} MB at most; {heard} of {told} tellings of events were heard on MQTT "
        f"(a broker that is killed may forget some); {outcome.seconds:.0f} s"
    )
    for words in (*outcome.tally.words, *outcome.wrong):
        click.echo(f"  {words}")


if __name__ == "__main__":
    main()
