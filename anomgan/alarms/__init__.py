"""Which events are told to whom it concerns, and which are only stored: pure steps between deciding and telling.

cool_down     what opens again soon is the same event going on
mutes         a device, or some of its channels, muted until a time
maintenance   the windows of an iCalendar file
together      many devices at once are one event
alarms        all of them in their order, and what others have been told so far
"""

from anomgan.alarms.alarms import Alarms, Group, Outcome

__all__ = ["Alarms", "Group", "Outcome"]
