"""What the commands that make and complete data ask for, and how they show that they are at work."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.records import TimeSeries


def parse_given(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, float | str]:
    """`mode=2` -> {"mode": 2.0}; what is no number stays text, and so does a device's name."""
    given: dict[str, float | str] = {}
    for part in value:
        name, equals, text = part.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{part!r} is not NAME=VALUE, such as mode=2")
        name, text = name.strip(), text.strip()
        try:
            given[name] = text if name == "device" else float(text)
        except ValueError:
            given[name] = text
    return given


def parse_ranges(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, Any]:
    """`flow=0:40` -> {"flow": (0.0, 40.0)}; `valve=0:1:1` has a step as well."""
    ranges: dict[str, Any] = {}
    for part in value:
        name, _, text = part.partition("=")
        try:
            numbers = tuple(float(number) for number in text.split(":"))
        except ValueError:
            numbers = ()
        if not name.strip() or len(numbers) not in (2, 3):
            raise click.BadParameter(f"{part!r} is not NAME=LOW:HIGH or NAME=LOW:HIGH:STEP, such as flow=0:40")
        ranges[name.strip()] = numbers
    return ranges


def tell_beyond(series: "Sequence[TimeSeries]", ranges: Mapping[str, Sequence[float]]) -> None:
    """A note on stderr for each channel with values beyond its range, which are taken for its ends."""
    for name, (low, high, *_) in ranges.items():
        columns = [one.values[:, one.channels.index(name)] for one in series if name in one.channels]
        beyond = sum(int(((column < low) | (column > high)).sum()) for column in columns)
        if beyond:
            said = f"{beyond} of {sum(map(len, columns))} values lie beyond {low:g} to {high:g} and are taken for these"
            say(f"note: {name}: {said}; epsilon is not of this note", err=True)


given_option = click.option(
    "--given",
    multiple=True,
    callback=parse_given,
    metavar="NAME=VALUE",
    help="Under which condition, where the model was trained with some and the file has no such column.",
)
seed_option = click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)


@contextmanager
def windows_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, and what is told how many windows of how many are done."""
    from tqdm import tqdm

    with tqdm(desc=doing, unit="window", disable=not sys.stderr.isatty(), leave=False, dynamic_ncols=True) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch
