"""How many messages make a turn."""

from anomgan.adapters.memory import MemorySource
from anomgan.config import InputConfig
from anomgan_detector.intake import MOST_PAUSES, MOST_VAIN, PAUSE_S, Intake

LIMIT = InputConfig(batch=100, flush_s=0.001)


class Fed:
    """A source that gets its messages in the pauses: `at_once` before a turn, `later` in each of its pauses."""

    def __init__(self, at_once: int, later: int) -> None:
        self.at_once, self.later, self.pauses = at_once, later, 0
        self._source = MemorySource()
        self._intake = Intake(self._pause)

    def _feed(self, count: int) -> None:
        for _ in range(count):
            self._source.feed("plant/p1", b"{}")

    def _pause(self, seconds: float) -> None:
        assert seconds == PAUSE_S
        self.pauses += 1
        self._feed(self.later)

    def turns(self, count: int) -> list[int]:
        """How many messages each of so many turns has."""
        sizes = []
        for _ in range(count):
            self._feed(self.at_once)
            messages = self._intake.take(self._source, LIMIT)
            self._source.acknowledge(messages)
            sizes.append(len(messages))
        return sizes


def test_a_quiet_source_is_not_waited_for() -> None:
    fed = Fed(0, 0)
    assert fed.turns(2) == [0, 0]
    assert fed.pauses == 0


def test_what_flows_is_gathered_for_a_few_pauses_or_until_a_batch_is_full() -> None:
    assert Fed(10, 10).turns(2) == [10 * (1 + MOST_PAUSES)] * 2
    assert Fed(40, 30).turns(2) == [LIMIT.batch] * 2


def test_a_full_batch_waits_for_nothing() -> None:
    fed = Fed(LIMIT.batch, 1)
    assert fed.turns(5) == [LIMIT.batch] * 5
    assert fed.pauses == 0


def test_a_broker_that_holds_back_the_rest_is_waited_for_less_and_less_until_it_flows_again() -> None:
    fed = Fed(20, 0)
    assert fed.turns(1000) == [20] * 1000
    assert MOST_VAIN < fed.pauses < 1000 // 2**MOST_VAIN + 2 * MOST_VAIN
    fed.later = 20
    assert LIMIT.batch in fed.turns(2**MOST_VAIN)
    assert fed.turns(5) == [LIMIT.batch] * 5
