"""How arrays with a row per device grow."""

LEAST_ROWS = 16
SHARE = 8


def room_for(rows: int, room: int) -> int:
    """How many rows to make room for, so that `rows` fit where there is room for `room`.

    An eighth more each time: fleets grow seldom, and what lies idle would be paid for all year.
    """
    return max(rows, room + room // SHARE, LEAST_ROWS)
