"""`anomgan train`: learn what is normal from files, a broker or an InfluxDB; write a model file."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.influx_input import config_option, from_influx_option, refuse_beside
from anomgan_cli.inputs import ignore_option, names, read_for_training, rows_option, time_option
from anomgan_cli.synthesis_inputs import parse_ranges, tell_beyond
from anomgan_cli.terminal import say
from anomgan_cli.train_settings import all_settings, set_option

if TYPE_CHECKING:
    from anomgan.detector import Detector
    from anomgan.gan.train import TrainingStep
    from anomgan.records import TimeSeries
    from anomgan.synthesis.synthesizer import Synthesizer


WORTH_A_WORD = ("collapsed", "oscillating")
"""games that no model should be left with; `inspect` tells of the others too"""
HOW_TO_SET = "Each is a --set NAME=VALUE."


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[CSV...]")
@click.option("--from-mqtt", metavar="30m", help="Record what devices send for so long, and learn from that.")
@from_influx_option
@config_option
@click.option("--fleet", type=int, default=0, show_default=True, help="Which [[fleets]] of it, from 0.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The model file to write (.safetensors).")
@time_option
@ignore_option
@click.option("--channels", multiple=True, callback=names, metavar="A,B", help="Channels; left out: all other columns.")
@rows_option
@click.option("--window", type=int, help="Rows per window, a multiple of 8 from 16 up; left out: chosen from the data.")
@click.option("--steps", type=int, help="Training steps at most; left out: chosen from the data.")
@click.option(
    "--architecture", metavar="mlp|conv|pyramid|progressive", help="What the networks are built of; left out: conv."
)
@click.option(
    "--loss",
    metavar="non-saturating|minimax|least-squares|hinge|wgan-gp",
    help="The adversarial game; left out: hinge.",
)
@click.option("--alarms-per-week", type=float, help="False alarms a device may raise in a week; left out: 1.")
@click.option("--seed", type=int, help="The same seed gives the same model; left out: 0.")
@click.option("--device", metavar="auto|cpu|cuda", help="Where to train; left out: auto.")
@set_option("augmentation=0.3 or minibatch_statistics=true")
@click.option("--health", type=click.Path(path_type=Path), help="Write the training's health as JSON lines.")
@click.option("--report", type=click.Path(path_type=Path), help="Draw how it went: .png, .pdf or .svg.")
@click.option("--synthesizer", is_flag=True, help="Learn to make and complete such data, not to find anomalies.")
@click.option(
    "--condition", multiple=True, callback=names, metavar="A,B", help="With --synthesizer: what to condition on."
)
@click.option("--epsilon", type=float, help="With --synthesizer: train with differential privacy, of this epsilon.")
@click.option(
    "--range",
    "ranges",
    multiple=True,
    callback=parse_ranges,
    metavar="NAME=LOW:HIGH[:STEP]",
    help="With --epsilon: where a channel can be at all, from its data sheet; for each channel.",
)
def train(
    files: tuple[Path, ...],
    from_mqtt: str | None,
    from_influx: str | None,
    config_path: Path | None,
    fleet: int,
    out: Path,
    time: str | None,
    ignore: Sequence[str],
    channels: Sequence[str],
    rows: slice,
    chosen: dict[str, Any],
    health: Path | None,
    report: Path | None,
    synthesizer: bool,
    condition: Sequence[str],
    ranges: dict[str, Any],
    **options: Any,
) -> None:
    """Learn what is normal from the readings in CSV or Parquet, of a broker, or of an InfluxDB.

    Several files are several devices of one kind, with the same channels. All columns are channels, but for the
    time and what --ignore names. The rows should be normal; what --window and --steps leave open is chosen from
    the data. Ctrl-C ends the training and keeps the best model so far.

    \b
    anomgan train pump.csv --time datetime --ignore anomaly --rows :400 --out pump.safetensors
    anomgan train --from-mqtt 30m --config detector.toml --out pump.safetensors
    anomgan train --from-influx "bucket plant range 7d measurement pump" --config detector.toml --out pump.safetensors
    anomgan train pump.csv --set augmentation=0.3 --set minibatch_statistics=true --out pump.safetensors

    --set changes any setting that `anomgan inspect` shows of a model's configuration, also one without an option.

    \b
    anomgan train pump.csv --synthesizer --epsilon 4 --range flow=0:40 --range valve=0:1:1 --out pump-gan.safetensors

    \b
    anomgan train pump.csv --synthesizer --epsilon 4 --range flow=0:40 --range valve=0:1:1 --out pump-gan.safetensors

    --synthesizer makes a model for `anomgan generate`, `impute`, `upsample` and `augment`. --condition names what it
    learns to go by: `hour` (time of day), `weekday`, `device`, or columns such as an operating mode. --epsilon makes
    one that tells little of any single block of time; the last line says what exactly is promised.

    --from-influx also takes `range 2026-01-01/2026-01-08`, `device TAG` (left out: device), `fields A,B` (left out:
    all numbers) and `where TAG=VALUE`; [store.influx] of the configuration says where the InfluxDB is.
    """
    from contextlib import nullcontext

    from anomgan.adapters.files import check_writable, json_lines, write_bytes
    from anomgan.config import DetectorConfig, SynthesizerConfig, parse_config

    if report is not None:
        from anomgan_cli.plot_style import form_of

        form_of(report)
    for target in (out, report):
        if target is not None:
            check_writable(target)
    if [bool(files), from_mqtt is not None, from_influx is not None].count(True) != 1:
        raise click.UsageError("give one of CSV..., --from-mqtt and --from-influx")
    if not files:
        live = "--from-mqtt" if from_influx is None else "--from-influx"
        refuse_beside(live, time=time, ignore=ignore, channels=channels, rows=rows)
    if condition and not synthesizer:
        raise click.UsageError("--condition goes with --synthesizer")
    if (options["epsilon"] is not None or ranges) and not synthesizer:
        raise click.UsageError("--epsilon and --range go with --synthesizer")
    if synthesizer and options["alarms_per_week"] is not None:
        raise click.UsageError("--alarms-per-week is a detector's; leave it out with --synthesizer")
    promised = ""
    given = all_settings(options | {"conditions": tuple(condition), "ranges": ranges or None}, chosen)
    config: DetectorConfig | SynthesizerConfig
    if synthesizer:
        config = parse_config(SynthesizerConfig, given, "anomgan train")
    else:
        config = parse_config(DetectorConfig, given, "anomgan train")
    if from_mqtt is None and from_influx is None:
        series = read_for_training(files, time, ignore, channels, rows)
    else:
        series = _read_live(from_mqtt, from_influx, config_path, fleet)
        if isinstance(config, DetectorConfig):
            from anomgan_cli.train_sources import tell_needs

            tell_needs(series, config)

    with json_lines(health) if health else nullcontext() as add:

        def watch(step: "TrainingStep") -> None:
            if step.health is not None and add is not None:
                add(asdict(step.health))

        if isinstance(config, SynthesizerConfig):
            from anomgan.synthesis.private_fit import guarantee
            from anomgan.synthesis.synthesizer import Synthesizer

            tell_beyond(series, config.ranges)
            maker = Synthesizer.fit(series, config, progress=sys.stderr.isatty(), on_step=watch)
            maker.save(out)
            say(_told_of_synthesizer(maker))
            promised = guarantee(maker.summary)
            if report is not None:
                from anomgan_cli.synthesizer_plots import synthesizer_report

                write_bytes(report, synthesizer_report(maker, series, form_of(report)))
                say(f"wrote {report}")
        else:
            from anomgan.detector import Detector

            left_out = _left_out(ignore, channels, rows)
            detector = Detector.fit(series, config, progress=sys.stderr.isatty(), on_step=watch, excluded=left_out)
            detector.save(out)
            say(_told(detector))
            if report is not None:
                from anomgan_cli.training_plots import training_report

                write_bytes(report, training_report(detector, series, form_of(report)))
                say(f"wrote {report}")
    say(f"wrote {out} ({out.stat().st_size / 1000:.0f} kB)")
    if promised:
        say(promised)


def _left_out(ignore: Sequence[str], channels: Sequence[str], rows: slice) -> list[str]:
    """In words what the options leave out of the files."""
    cut = ":".join("" if end is None else str(end) for end in (rows.start, rows.stop))
    return [
        *([f"columns {', '.join(ignore)}"] if ignore else []),
        *([f"all columns but {', '.join(channels)}"] if channels else []),
        *([f"all rows but {cut}"] if cut != ":" else []),
    ]


def _read_live(from_mqtt: str | None, from_influx: str | None, path: Path | None, number: int) -> "list[TimeSeries]":
    """The rows of a broker or of an InfluxDB that a service's configuration names."""
    from anomgan.adapters.files import read_config
    from anomgan.config import ServiceConfig
    from anomgan.wire.history_query import duration_s
    from anomgan_cli import train_sources

    if path is None:
        raise click.UsageError("--from-mqtt and --from-influx need --config, which says how to get in")
    settings = read_config(path, ServiceConfig)
    if from_mqtt is not None:
        train_sources.fleet_of(settings, path, number)
        series = train_sources.record_from_mqtt(settings, number, duration_s(from_mqtt))
    else:
        series = train_sources.read_from_influx(settings, path, from_influx or "")
    return series


def _told(detector: "Detector") -> str:
    """How the training went, whether its game was healthy, and what in its data looks like sick sensors."""
    summary, budget = detector.summary, detector.config.alarms_per_week
    return "\n".join(
        [
            _went(detector),
            f"calibrated on {summary['calibration_windows']} held-out windows: anomalous from surprise "
            f"{detector.threshold:.2f} on, for at most {budget:g} false alarm{'' if budget == 1 else 's'} a week",
            *_told_of_game(detector),
            *(f"learned as normal, but it looks like a sick sensor: {reason}" for reason in summary["suspicious"]),
        ]
    )


def _told_of_synthesizer(maker: "Synthesizer") -> str:
    """How the training went, whether its game was healthy, and how often the band held what was hidden."""
    from anomgan_cli.synthesizer_shown import bands

    return "\n".join([_went(maker), *(f"band {name}: {words}" for name, words in bands(maker)), *_told_of_game(maker)])


def _told_of_game(model: "Detector | Synthesizer") -> list[str]:
    """What is worth a word of its health, and what to do."""
    from anomgan.game import game_of

    game = game_of(model.summary["course"], model.config.loss)
    ill = game.balance in WORTH_A_WORD
    return [f"{game.balance} game: {game.sentence} {game.advice} {HOW_TO_SET}"] if ill else []


def _went(model: "Detector | Synthesizer") -> str:
    """How the game went."""
    summary = model.summary
    ends = {"finished": "all steps done", "early": "no more progress", "interrupted": "interrupted, the best is kept"}
    return (
        f"trained {summary['steps']} steps in {summary['seconds']:.1f} s ({ends[summary['stopped']]}; "
        f"best at step {summary['best_step']}), windows of {model.config.window} rows"
    )
