"""How many messages make a turn: what is there, and what follows at once where something does.

A turn costs a few milliseconds however few messages it has, so small ones waste most of a busy machine. But waiting for
a batch to fill would be wrong: a broker may hold back the rest until these are acknowledged, and a quiet fleet's
message would be late for nothing. So it is tried, and tried less often the longer it has been in vain.
"""

import time
from collections.abc import Callable

from anomgan.adapters.ports import Message, MessageSource
from anomgan.config import InputConfig

PAUSE_S, MOST_PAUSES = 0.005, 4
WORTH = 0.25
"""of what is there already: a pause that brings less was in vain"""
MOST_VAIN = 6
"""after so many pauses in vain, one in 2^6 turns is begun with one"""


class Intake:
    """Remembers whether waiting has been worth it."""

    def __init__(self, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._vain = 0
        self._turns = 0

    def take(self, source: MessageSource, limit: InputConfig) -> list[Message]:
        """The messages of the next turn, at most `limit.batch`; [] where none came within `limit.flush_s`."""
        messages = source.receive(limit.batch, limit.flush_s)
        if not messages:
            return messages
        self._turns += 1
        if self._turns % 2**self._vain:
            return messages
        for pause in range(MOST_PAUSES):
            if len(messages) >= limit.batch:
                break
            self._pause(PAUSE_S)
            more = source.receive(limit.batch - len(messages), 0.0)
            vain = len(more) < WORTH * len(messages)
            messages += more
            if pause == 0:
                self._vain = min(self._vain + 1, MOST_VAIN) if vain else 0
            if vain:
                break
        return messages
