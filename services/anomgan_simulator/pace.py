"""Simulated time against real time: wait for a row's turn, and measure how late it was instead of skipping it."""

from collections.abc import Callable


class Pace:
    """When rows are due. speed: simulated seconds per real one, 0 = as fast as possible.

    now: a clock in seconds that never goes back. wait: sleep for some seconds, True when told to stop meanwhile.
    `late_s` is how far behind its time the latest of all was.
    """

    def __init__(self, speed: float, now: Callable[[], float], wait: Callable[[float], bool]) -> None:
        self.late_s = 0.0
        self._speed = speed
        self._now = now
        self._wait = wait
        self._origin: tuple[float, float] | None = None

    def await_turn(self, time_s: float) -> bool:
        """Wait until the row of this event time is due; False when told to stop."""
        if self._speed == 0:
            return self.pass_by()
        if self._origin is None:
            self._origin = (self._now(), time_s)
        begun, first_s = self._origin
        due = begun + (time_s - first_s) / self._speed
        stopped = self._wait(max(due - self._now(), 0.0))
        self.late_s = max(self.late_s, self._now() - due)
        return not stopped

    def pass_by(self) -> bool:
        """Do not wait, but let others do what they do meanwhile; False when told to stop."""
        return not self._wait(0.0)
