"""What others scored on the same series: a CSV of method, set, series and VUS-PR."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomgan_benchmark.layouts import column, numbers, read_table
from anomgan_benchmark.summary import MAIN, Lead, Line, Values, lead

Peers = Mapping[str, Values]
"""VUS-PR by method, suite and series."""


def read_peers(path: Path) -> Peers:
    """Every peer's figures; an empty cell is a series on which it failed. DataError names line and column.

    A series may carry its set's name in front, as in SMAP_A-1.
    """
    table = read_table(path)
    peers: dict[str, dict[str, dict[str, float]]] = {}
    rows = zip(
        *(column(path, table, name) for name in ("method", "set", "series")),
        numbers(path, table, ["VUS-PR"])[:, 0].tolist(),
        strict=True,
    )
    for method, owner, series, value in rows:
        if value == value:  # not NaN
            peers.setdefault(method, {}).setdefault(owner.lower(), {})[series.removeprefix(f"{owner}_")] = value
    return peers


@dataclass(frozen=True, slots=True)
class Standing:
    """Peers against one of ours, each on the series that both have, the best first: those that have all of our series
    (`whole`) and the others (`part`)."""

    against: str
    whole: tuple[Lead, ...]
    part: tuple[Lead, ...]

    @property
    def best(self) -> Lead | None:
        """The best of those that have all our series."""
        return self.whole[0] if self.whole else None

    @property
    def ahead(self) -> tuple[Lead, ...]:
        """Those with fewer series that stand above ours on what they have."""
        return tuple(one for one in self.part if one.difference.mean > 0)


def standing(peers: Peers, ours: Line) -> Standing:
    """Where our detector stands among the peers on the suites that its line holds; a peer must have each of them."""
    values = ours.values[MAIN]
    every = [lead(method, of, ours.name, values) for method, of in peers.items() if values.keys() <= of.keys()]
    ranked = sorted((one for one in every if one is not None), key=lambda one: -one.of_name)
    return Standing(
        ours.name,
        tuple(one for one in ranked if one.series == ours.series),
        tuple(one for one in ranked if one.series < ours.series),
    )
