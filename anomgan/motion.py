"""How a channel moves while it is beyond its own normal error: the five places on the last axis of `Verdict.course`.

SINCE    seconds since the onset
BEFORE   the mean level just before it; NaN where it lies before the window
LOW, HIGH    the extremes since the onset
MOTION   one of MOVES (nothing to say), STUCK, SWINGS
"""

PLACES = 5
SINCE, BEFORE, LOW, HIGH, MOTION = range(PLACES)
MOVES, STUCK, SWINGS = 0.0, 1.0, 2.0
