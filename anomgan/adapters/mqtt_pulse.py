"""When to give a silent connection up, and when to try the next one: pure steps over times that are given."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Pulse:
    """Whether a peer still answers. It is asked after a keepalive of silence, and has half a keepalive to answer."""

    heard_s: float
    asked_s: float | None = None

    def heard(self, now_s: float) -> None:
        """Something came, or nobody was listening, so that silence says nothing."""
        self.heard_s, self.asked_s = now_s, None

    def stopped(self, now_s: float, keepalive_s: float) -> bool:
        """Whether to give it up. The caller sends a ping as soon as a keepalive has passed, which is counted from here:
        after a long pause of our own, the peer still gets its time to answer."""
        if now_s - self.heard_s < keepalive_s:
            return False
        if self.asked_s is None:
            self.asked_s = now_s
        return now_s - self.asked_s >= keepalive_s / 2


class Backoff:
    """Pauses that double up to the longest, each drawn between its half and itself, so that not all come back at once.

    dice gives numbers from 0 to 1.
    """

    def __init__(self, first_s: float, longest_s: float, dice: Callable[[], float] = random.random) -> None:
        self._first_s = self._next_s = first_s
        self._longest_s = longest_s
        self._dice = dice

    def pause_s(self) -> float:
        """How long to wait now."""
        drawn_s = self._next_s * (0.5 + 0.5 * self._dice())
        self._next_s = min(2.0 * self._next_s, self._longest_s)
        return drawn_s

    def reset(self) -> None:
        """Begin with the shortest again."""
        self._next_s = self._first_s
