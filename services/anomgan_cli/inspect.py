"""`anomgan inspect MODEL`: what a model file holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.inputs import moment
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.gan.networks import Networks


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
def inspect(model: Path) -> None:
    """Show what MODEL holds, a detector's or a synthesizer's: data, training, calibration, size, promises."""
    from anomgan.adapters.files import read_model_bytes
    from anomgan.sealed_file import DETECTOR, SYNTHESIZER, sealed_header

    if sealed_header(read_model_bytes(model), str(model)).get("kind", DETECTOR) != SYNTHESIZER:
        _show_detector(model)
        return
    from anomgan.synthesis.synthesizer import Synthesizer
    from anomgan_cli.synthesizer_shown import tables

    maker = Synthesizer.load(model)
    _show_file(model, "synthesizer", maker.parts.networks, maker.summary)
    for title, rows in tables(maker):
        _table(title, rows)


def _show_detector(model: Path) -> None:
    from anomgan.detector import Detector
    from anomgan.game import game_of

    detector = Detector.load(model)
    config, summary, parts = detector.config, detector.summary, detector.parts
    game = game_of(summary.get("course") or {}, config.loss)
    constant = summary["constant_channels"]
    _show_file(model, "detector", parts.networks, summary)
    _table(
        "trained on",
        [
            ("series", f"{summary['series']}, {summary['rows']} rows, {detector.period_s:g} s apart"),
            ("from", f"{moment(summary['first_time_s'])} to {moment(summary['last_time_s'])}"),
            ("windows", f"{summary['training_windows']} to train, {summary['calibration_windows']} to calibrate"),
            ("game", f"{game.balance}: {game.sentence} {game.advice}".rstrip()),
            ("steps", f"{summary['steps']} ({summary['stopped']}), best at {summary['best_step']}"),
            *(("suspicious", reason) for reason in summary.get("suspicious", ())),
            ("seconds", f"{summary['seconds']:.1f} on {summary['device']}"),
            *(
                (key.replace("_", " "), f"{value:.4g}")
                for key, value in sorted(_figures(summary["last_health"]).items())
            ),
        ],
    )
    scaler = parts.scaler
    rows = [
        (name, f"centre {centre:.6g}{unit and ' ' + unit}, spread {spread:.4g}" + (", constant" * (name in constant)))
        for name, unit, centre, spread in zip(
            detector.channels, detector.units, scaler.centre, scaler.spread, strict=True
        )
    ]
    _table("channels", rows)
    _table("configuration", [(name, str(value)) for name, value in config.model_dump().items()])
    _table(
        "calibration",
        [("threshold", f"{detector.threshold:.3f} (surprise), {config.alarms_per_week:g} false alarms a week")]
        + [
            (
                name,
                f"tail scale {tail.scale:.4g}, shape {tail.shape:.3f}, from {tail.body[-1]:.4g} on"
                + (f"; weight {parts.weights[name]:.2f}" if name in parts.weights else ""),
            )
            for name, tail in parts.tails.items()
        ],
    )


def _show_file(model: Path, kind: str, networks: "Networks", summary: Mapping[str, Any]) -> None:
    """What it is, how large, and by which version."""
    sizes = {
        name: sum(p.numel() for p in getattr(networks, name).parameters())
        for name in ("generator", "encoder", "discriminator")
    }
    kilobytes = model.stat().st_size / 1000
    _table(
        str(model),
        [
            ("size", f"{kilobytes:.0f} kB, a {kind} written by anomgan {summary['library_version']}"),
            ("networks", f"{sum(sizes.values()):,} weights: " + ", ".join(f"{n} {s:,}" for n, s in sizes.items())),
        ],
    )


def _figures(health: dict[str, object]) -> dict[str, float]:
    """The figures of the last look at the training that say how good it is."""
    wanted = ("accuracy_real", "accuracy_generated", "diversity", "coverage", "density", "reconstruction_error")
    return {key: value for key, value in health.items() if key in wanted and isinstance(value, float)}


def _table(title: str, rows: list[tuple[str, str]]) -> None:
    """A title and aligned lines."""
    width = max(map(len, [name for name, _ in rows]), default=0)
    say(title, bold=True)
    for name, value in rows:
        say(f"  {name:<{width}}  {value}")
