"""What can be wrong with a device's data, and how it is told.

Of the whole device:

    silent          nothing was heard for longer than it ever takes
    duplicate       many readings come twice
    out_of_order    many readings come after later ones, though promptly
    late            many readings come after later ones, long after their own time
    clock_skew      its clock is ahead or behind: readings come steadily before or long after their own time
    buffered_burst  readings kept back during an outage come at once, with past times

Of one channel:

    silent          it is missing while the device speaks
    stuck           it repeats one ordinary value for longer than it ever does
    out_of_range    beyond what the sensor can measure, or an error code
    unit_jump       the same quantity in another unit
    new_state       a state that training never saw, such as an alarm contact that closes
    counter_reset   a counter that began anew: told once, already closed

An issue is told when it opens and when it closes, never with every reading.
"""

from typing import NamedTuple

from anomgan.records import IssueKind, IssueState

WHOLE_DEVICE = -1


class Change(NamedTuple):
    """An issue of device number `number` that opens or closes; channel by index or WHOLE_DEVICE."""

    noticed_s: float
    number: int
    channel: int
    kind: IssueKind
    state: IssueState
    start_s: float
    end_s: float
    reason: str


def shown(value: float) -> str:
    """Six significant digits, written out: 101300, not 1.013e+05."""
    return f"{float(f'{value:.6g}'):.15g}"


def span(seconds: float) -> str:
    """A length of time in words of the right size."""
    if seconds < 600:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 36_000 else f"{seconds / 3600:.0f} h"
