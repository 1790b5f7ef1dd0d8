"""What `anomgan inspect` tells of a synthesizer."""

from pathlib import Path
from typing import Any

Table = tuple[str, list[tuple[str, str]]]


def tables_of(model: Path) -> list[Table]:
    """Titles, and under each names and what there is to say of them; ModelFileError for a damaged file."""
    from anomgan.synthesis.private_fit import guarantee
    from anomgan.synthesis.synthesizer import Synthesizer

    maker = Synthesizer.load(model)
    summary, parts = maker.summary, maker.parts
    sizes = {
        name: sum(weights.numel() for weights in getattr(parts.networks, name).parameters())
        for name in ("generator", "encoder", "discriminator")
    }
    conditions = [(one.name, ", ".join(map(str, one.levels)) or "any time or number") for one in parts.conditions]
    return [
        (
            str(model),
            [
                ("kind", "synthesizer: for generate, augment, impute, upsample and transfer"),
                ("size", f"{model.stat().st_size / 1000:.0f} kB, written by anomgan {summary['library_version']}"),
                ("networks", f"{sum(sizes.values()):,} weights: " + ", ".join(f"{n} {s:,}" for n, s in sizes.items())),
            ],
        ),
        (
            "trained on",
            [
                ("series", f"{summary['series']}, {summary['rows']} rows, {maker.period_s:g} s apart"),
                ("windows", f"{summary['training_windows']} to train, of {maker.config.window} rows"),
                ("steps", f"{summary['steps']} ({summary['stopped']}), best at {summary['best_step']}"),
                ("seconds", f"{summary['seconds']:.1f} on {summary['device']}"),
                *((name.replace("_", " "), f"{value:.4g}") for name, value in _figures(summary["last_health"])),
            ],
        ),
        ("privacy", _privacy(summary, guarantee(summary))),
        (
            "channels",
            [
                (name, f"{one.values[0]:.6g} to {one.values[-1]:.6g}{unit and ' ' + unit}")
                for name, unit, one in zip(maker.channels, maker.units, parts.marginals, strict=True)
            ],
        ),
        *([("conditions", conditions)] if conditions else []),
        ("configuration", [(name, str(value)) for name, value in maker.config.model_dump().items()]),
    ]


def _figures(health: dict[str, Any]) -> list[tuple[str, float]]:
    """The figures of the last look at the training that say how good it is."""
    wanted = ("accuracy_real", "accuracy_generated", "diversity", "coverage", "density", "reconstruction_error")
    return sorted((name, value) for name, value in health.items() if name in wanted and isinstance(value, float))


def _privacy(summary: dict[str, Any], promised: str) -> list[tuple[str, str]]:
    told = summary.get("privacy")
    if not told:
        return [("guarantee", "none: `anomgan train --synthesizer --epsilon` gives one")]
    looks = zip(("distributions", "correlations", "discriminator"), told["looks"], strict=True)
    return [
        ("guarantee", promised),
        ("by", f"{told['accountant']}; {told['units']} blocks, gradients of at most {told['max_grad_norm']:g}"),
        *(
            (name, f"noise multiplier {look['noise_multiplier']:.3g}, {look['times']} times {look['rate']:.2g} of them")
            for name, look in looks
        ),
    ]
