"""`anomgan kinds`: the devices that the simulator knows, in words and as a page of plots each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.simulate.kind import Kind


@click.command()
@click.argument("names", metavar="[KIND]...", nargs=-1)
@click.option("--plots", metavar="DIR", type=click.Path(path_type=Path), help="Draw a page of plots of each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other devices.")
def kinds(names: tuple[str, ...], plots: Path | None, seed: int) -> None:
    """Device kinds of the simulator: channels with units and resolution, settings, and what can go wrong.

    \b
    anomgan kinds                            one line each
    anomgan kinds pump cold_store            all of these
    anomgan kinds --plots pages              a page of each: a week, a day, an hour, spectra, correlations
    """
    from anomgan.simulate import KINDS

    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise click.UsageError(f"unknown device kind {unknown[0]!r}; known: {', '.join(KINDS)}")
    chosen = [KINDS[name] for name in names or KINDS]
    if plots is None:
        for kind in chosen:
            say("\n".join(in_full(kind)) if names else in_short(kind))
        return
    from anomgan.adapters.files import write_bytes
    from anomgan_cli.inputs import make_folder
    from anomgan_cli.kind_plots import kind_plot
    from anomgan_simulator.portrait import portrait

    make_folder(plots)
    with click.progressbar(chosen, label="drawing", item_show_func=lambda one: one.name if one else "") as bar:
        for kind in bar:
            write_bytes(plots / f"{kind.name}.png", kind_plot(portrait(kind, seed)))


def in_short(kind: "Kind[Any, Any, Any]") -> str:
    """One line."""
    faults = ", ".join(fault.name for fault in kind.process_faults)
    return f"{kind.name}: {len(kind.channels)} channels; faults of its own: {faults}"


def in_full(kind: "Kind[Any, Any, Any]") -> list[str]:
    """Everything that a scenario can say of it."""
    rows = [("channel", "unit", "resolution", "noise", "range")]
    for channel in kind.channels:
        what = "contact" if channel.digital else "counter" if channel.counter else f"{channel.noise:g}"
        bounds = f"{channel.low:g} to {channel.high:g}"
        rows.append((channel.name, channel.unit, f"{channel.resolution:g}", what, bounds))
    settings = [("setting", "default", "")]
    settings += [(name, str(field.default), "") for name, field in kind.settings.model_fields.items()]
    faults = [("fault", "shows in", "")]
    faults += [(fault.name, ", ".join(fault.channels), "") for fault in kind.process_faults]
    return [kind.name, *columns(rows), "", *columns(settings), "", *columns(faults), ""]


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of a table, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
