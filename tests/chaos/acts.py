"""What is done to the plant, in which order: a plan that a seed decides, and the means to carry it out.

An act that lasts (a database that is away) ends some time later, and other acts go on meanwhile, so faults overlap as
they do in life; only what concerns the same thing waits for its predecessor to end.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "detector killed", "detector told to end", "broker killed", "database away", "credentials refused", "disk full"
]
How = Literal["at once", "in a batch", "as it starts"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CONCERNS: Mapping[Kind, str] = {
    "detector killed": "detector",
    "detector told to end": "detector",
    "broker killed": "broker",
    "database away": "database",
    "credentials refused": "database",
    "disk full": "disk",
}
NOT_YET_S = 0.5
LONG_S = 45.0
"""longer than the longest pause between two attempts and the longest wait for an answer together"""


@dataclass(frozen=True, slots=True)
class Act:
    """One disturbance, after a rest of `rest_s`. What lasts does so for `lasts_s`; the service is struck `how`, and
    `lasts_s` after its batch or its start has begun."""

    kind: Kind
    rest_s: float
    lasts_s: float
    how: How = "at once"


def plan(dice: random.Random, kinds: Sequence[Kind], most_rest_s: float, *, long: bool) -> list[Act]:
    """An act of each of the kinds, shuffled. `long`: the database is away for `LONG_S`."""
    return [make_act(dice, kind, most_rest_s, long=long) for kind in dice.sample(kinds, len(kinds))]


def make_act(dice: random.Random, kind: Kind, most_rest_s: float, *, long: bool) -> Act:
    """An act of a kind, with times that suit it."""
    how: How = "in a batch" if kind == "detector told to end" else "at once"
    if kind == "detector killed":
        how = dice.choice(("at once", "in a batch", "as it starts"))
    low, high = {"at once": (2.0, 8.0), "in a batch": (0.0, 0.15), "as it starts": (0.0, 4.0)}[how]
    if kind == "broker killed":
        low, high = 0.2, 3.0
    if kind == "database away" and long:
        low, high = LONG_S, LONG_S
    return Act(kind, dice.uniform(0.2 * most_rest_s, most_rest_s), dice.uniform(low, high), how)


@dataclass(frozen=True, slots=True)
class Means:
    """How to carry acts out."""

    begin: Callable[[Kind], None]
    """begin what lasts"""
    end: Callable[[Kind], bool]
    """end what lasts; False: it is not time yet, ask again a little later"""
    strike: Callable[[Act, Callable[[float], None]], None]
    """do what concerns the detector, letting time pass by the function given"""
    now: Callable[[], float]
    wait: Callable[[float], object]
    tell: Callable[[str], None]
    """say what is done"""


def carry_out(acts: Sequence[Act], means: Means) -> None:
    """All of them, one after another; in the end nothing is disturbed any more."""
    under_way: dict[str, tuple[float, Kind]] = {}  # what it concerns -> (when it ends, what it is)

    def rest(seconds: float) -> None:
        """Let time pass, ending what has lasted long enough."""
        until = means.now() + max(0.0, seconds)
        while due := [(ends, concerned, kind) for concerned, (ends, kind) in under_way.items() if ends <= until]:
            ends, concerned, kind = min(due)
            means.wait(max(0.0, ends - means.now()))
            if means.end(kind):
                del under_way[concerned]
            else:
                under_way[concerned] = (means.now() + NOT_YET_S, kind)
        means.wait(max(0.0, until - means.now()))

    for act in acts:
        rest(act.rest_s)
        concerned = CONCERNS[act.kind]
        while concerned in under_way:
            rest(NOT_YET_S)
        how = f", {act.how}" if concerned == "detector" else f" for {act.lasts_s:.1f} s"
        beside = " and ".join(kind for _, kind in under_way.values())
        means.tell(f"{act.kind}{how}{f' ({beside})' if beside else ''}")
        if concerned == "detector":
            means.strike(act, rest)
        else:
            means.begin(act.kind)
            under_way[concerned] = (means.now() + act.lasts_s, act.kind)
    while under_way:
        rest(NOT_YET_S)
