"""`anomgan train CSV...`: learn what is normal, write a model file."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.inputs import ignore_option, names, read_for_training, rows_option, time_option

if TYPE_CHECKING:
    from anomgan.detector import Detector
    from anomgan.gan.train import TrainingHealth, TrainingStep


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CSV...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The model file to write (.safetensors).")
@time_option
@ignore_option
@click.option("--channels", multiple=True, callback=names, metavar="A,B", help="Channels; left out: all other columns.")
@rows_option
@click.option("--window", type=int, help="Rows per window, a multiple of 8 from 16 up; left out: chosen from the data.")
@click.option("--steps", type=int, help="Training steps at most; left out: chosen from the data.")
@click.option("--loss", metavar="hinge|wgan-gp|non-saturating", help="Adversarial loss; left out: hinge.")
@click.option("--alarms-per-week", type=float, help="False alarms a device may raise in a week; left out: 1.")
@click.option("--seed", type=int, help="The same seed gives the same model; left out: 0.")
@click.option("--device", metavar="auto|cpu|cuda", help="Where to train; left out: auto.")
@click.option("--health", type=click.Path(path_type=Path), help="Write the training's health as JSON lines.")
@click.option("--report", type=click.Path(path_type=Path), help="Draw the training's course as a PNG.")
def train(
    files: tuple[Path, ...],
    out: Path,
    time: str | None,
    ignore: Sequence[str],
    channels: Sequence[str],
    rows: slice,
    health: Path | None,
    report: Path | None,
    **settings: Any,
) -> None:
    """Learn what is normal from the readings in CSV or Parquet.

    Several files are several devices of one kind, with the same channels. All columns are channels, but for the
    time and what --ignore names. The rows should be normal; what --window and --steps leave open is chosen from
    the data. Ctrl-C ends the training and keeps the best model so far.

    \b
    anomgan train pump.csv --time datetime --ignore anomaly --rows :400 --out pump.safetensors
    """
    from contextlib import nullcontext

    from anomgan.adapters.files import check_writable, json_lines, write_bytes
    from anomgan.config import DetectorConfig, parse_config

    for target in (out, report):
        if target is not None:
            check_writable(target)
    given = {key: value for key, value in settings.items() if value is not None}
    config = parse_config(DetectorConfig, given, "anomgan train")
    series = read_for_training(files, time, ignore, channels, rows)

    from anomgan.detector import Detector

    course: list[TrainingHealth] = []
    with json_lines(health) if health else nullcontext() as add:

        def watch(step: "TrainingStep") -> None:
            if step.health is not None:
                course.append(step.health)
                if add is not None:
                    add(asdict(step.health))

        detector = Detector.fit(series, config, progress=sys.stderr.isatty(), on_step=watch)
    detector.save(out)
    click.echo(_told(detector))
    click.echo(f"wrote {out} ({out.stat().st_size / 1000:.0f} kB)")
    if report is not None:
        from anomgan_cli.plots import training_png

        write_bytes(report, training_png(course))
        click.echo(f"wrote {report}")


def _told(detector: "Detector") -> str:
    """How the training went, and what in its data looks like sick sensors."""
    summary, config = detector.summary, detector.config
    ends = {"finished": "all steps done", "early": "no more progress", "interrupted": "interrupted, the best is kept"}
    budget = config.alarms_per_week
    return "\n".join(
        [
            f"trained {summary['steps']} steps in {summary['seconds']:.1f} s ({ends[summary['stopped']]}; "
            f"best at step {summary['best_step']}), windows of {config.window} rows",
            f"calibrated on {summary['calibration_windows']} held-out windows: anomalous from surprise "
            f"{detector.threshold:.2f} on, for at most {budget:g} false alarm{'' if budget == 1 else 's'} a week",
            *(f"learned as normal, but it looks like a sick sensor: {reason}" for reason in summary["suspicious"]),
        ]
    )
