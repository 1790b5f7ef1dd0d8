"""What a synthesizer's file holds, in tables of words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anomgan_cli.inputs import moment

if TYPE_CHECKING:
    from anomgan.synthesis.conditions import Condition
    from anomgan.synthesis.marginals import Marginal
    from anomgan.synthesis.synthesizer import Synthesizer

MOST_NAMED = 20
MOST_STAYS = 8
FAR_OFF = 0.1
"""a band that holds so much less or more than it should is worth a word"""

Table = tuple[str, list[tuple[str, str]]]


def tables(maker: "Synthesizer") -> list[Table]:
    """Title and rows of each: data, training, channels, conditions, bands, privacy, configuration."""
    from anomgan.game import game_of

    config, summary, learned = maker.config, maker.summary, maker.parts
    game = game_of(summary.get("course") or {}, config.loss)
    trained = [
        ("series", f"{summary['series']}, {summary['rows']} rows, {maker.period_s:g} s apart"),
        *([("devices", names([one[0] for one in summary["devices"]]))] if summary.get("devices") else []),
        *(
            [("from", f"{moment(summary['first_time_s'])} to {moment(summary['last_time_s'])}")]
            if "first_time_s" in summary
            else []
        ),
        (
            "windows",
            f"of {config.window} rows, {summary['training_windows']} to train"
            + (f", {summary['held_out_windows']} held out" if "held_out_windows" in summary else ""),
        ),
        ("architecture", f"{config.architecture}, {config.loss} game"),
        ("game", f"{game.balance}: {game.sentence} {game.advice}".rstrip()),
        *([("at the end", last(summary["last_health"]))] if summary["last_health"] else []),
        ("steps", f"{summary['steps']} ({summary['stopped']}), best at {summary['best_step']}"),
        ("seconds", f"{summary['seconds']:.1f} on {summary['device']}"),
    ]
    channels = [
        (name, of_channel(unit, one))
        for name, unit, one in zip(maker.channels, maker.units, learned.marginals, strict=True)
    ]
    conditions = [(one.name, of_condition(one)) for one in learned.conditions] or [("none", "it was trained without")]
    return [
        ("trained on", trained),
        ("channels", channels),
        ("conditions", conditions),
        ("bands", bands(maker)),
        ("privacy", of_privacy(summary)),
        ("configuration", [(name, str(value)) for name, value in config.model_dump().items()]),
    ]


def last(health: Mapping[str, Any]) -> str:
    """The last look at the game in a line."""
    against = (
        ""
        if "coverage" not in health
        else f"; of held-out windows {100 * health['coverage']:.0f} % covered, density {health['density']:.2f}"
    )
    real = f"{100 * health['accuracy_real']:.0f} % of real and " if "accuracy_real" in health else ""
    return (
        f"{real}{100 * health['accuracy_generated']:.0f} % of generated "
        f"windows judged rightly, diversity {health['diversity']:.2f}{against}, energy score "
        f"{health['best_reconstruction_error']:.3f} at best"
    )


def of_channel(unit: str, one: "Marginal") -> str:
    """`m3/h, 0 to 5.25, 2 decimals; stays at 0`."""
    import numpy as np

    words = f"{one.values[0]:.6g} to {one.values[-1]:.6g}"
    decimals = "" if one.decimals < 0 else f", {one.decimals} decimal{'' if one.decimals == 1 else 's'}"
    if one.values[0] == one.values[-1]:
        return f"{unit}{unit and ', '}always {one.values[0]:.6g}"
    again = np.flatnonzero(np.diff(one.values) == 0)
    stays = ", ".join(f"{one.values[i]:.6g}" for i in again[:MOST_STAYS])
    more = ", ..." if len(again) > MOST_STAYS else ""
    return f"{unit}{unit and ', '}{words}{decimals}{stays and '; stays at '}{stays}{more}"


def of_condition(one: "Condition") -> str:
    """What it can be told."""
    if one.name == "hour":
        return "time of day, UTC"
    if one.name == "weekday":
        return "day of the week, UTC"
    if not one.levels:
        return f"a number, {one.centre:.4g} in the middle, spread {one.spread:.4g}"
    return "one of " + names([level if isinstance(level, str) else f"{level:g}" for level in one.levels])


def bands(maker: "Synthesizer") -> list[tuple[str, str]]:
    """How often the band of 90 % held what was hidden, where it was not fitted; channels that are far off by name."""
    from anomgan.synthesis.carry import NOMINAL

    shares = maker.summary.get("band") or []
    told = {name: part for name, part in zip(maker.channels, shares, strict=False) if part is not None}
    if not told:
        return [(f"of {100 * NOMINAL:.0f} %", "was not measured, for too little was held out")]
    low, high = min(told.values()), max(told.values())
    mean = sum(told.values()) / len(told)
    spread = "" if len(told) == 1 else f" ({100 * low:.0f} to {100 * high:.0f} % by channel)"
    off = [f"{name} {100 * part:.0f} %" for name, part in told.items() if abs(part - NOMINAL) > FAR_OFF]
    return [
        (f"of {100 * NOMINAL:.0f} %", f"held {100 * mean:.0f} % of what was hidden from held-out rows{spread}"),
        *([("far off", names(off))] if off else []),
    ]


def names(several: list[str]) -> str:
    """With commas; of many the first ones and how many more."""
    more = len(several) - MOST_NAMED
    return ", ".join(several[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def of_privacy(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What training promised, and by which noise."""
    from anomgan.synthesis.private_fit import guarantee

    told = summary.get("privacy")
    if not told:
        return [("guarantee", "none: `anomgan train --synthesizer --epsilon` gives one")]
    looks = zip(("distributions", "correlations", "discriminator"), told["looks"], strict=True)
    return [
        ("guarantee", guarantee(summary)),
        ("by", f"{told['accountant']}; {told['units']} blocks, gradients of at most {told['max_grad_norm']:g}"),
        *(
            (name, f"noise multiplier {look['noise_multiplier']:.3g}, {look['times']} times {look['rate']:.2g} of them")
            for name, look in looks
        ),
    ]
