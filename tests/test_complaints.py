"""What is wrong with the service itself begins and ends with hysteresis, and is told once each."""

from dataclasses import replace

import pytest

from anomgan.config import MonitorConfig
from anomgan_detector.complaints import LOOP_S, OVERFLOW_S, STORE_S, Seen, Watch, look

NOW = 1_800_000_000.0
CONFIG = MonitorConfig(silent_min=15.0, away_min=10.0, journal_full=0.8)
WELL = Seen(
    now_s=NOW,
    connected=True,
    reason="",
    silent_s=0.0,
    idle_s=0.0,
    disconnected_since_s=None,
    failing={},
    store_since_s=None,
    store_failure="",
    journal_share=0.0,
    overflowed=0,
)


def told(*several: Seen) -> list[tuple[list[str], list[str]]]:
    """(what begins, what is over) at each look, the words of the first."""
    watch, heard = Watch(), []
    for seen in several:
        watch, begun, over = look(CONFIG, watch, seen)
        heard.append(([one.words for one in begun], [one.key for one in over]))
    return heard


def test_where_all_is_well_nothing_is_told() -> None:
    assert told(WELL, WELL) == [([], []), ([], [])]


@pytest.mark.parametrize(
    ("nearly", "wrong", "still", "well", "key", "words"),
    [
        (
            {"silent_s": 899.0},
            {"silent_s": 900.0},
            {"silent_s": 9000.0},
            {"silent_s": 1.0},
            "silent",
            "no message for 15 min although connected",
        ),
        (
            {"journal_share": 0.79},
            {"journal_share": 0.8},
            {"journal_share": 0.71},
            {"journal_share": 0.69},
            "journal",
            "the journal is 80% full; when it is full, nothing more is taken from the broker",
        ),
        (
            {"failing": {"influx": NOW - 599}},
            {"failing": {"influx": NOW - 600}},
            {"failing": {"influx": NOW - 1}},
            {"failing": {}},
            "away.influx",
            "influx has been away for 10 min; what is meant for it waits on disk",
        ),
        (
            {"connected": False, "reason": "gone", "disconnected_since_s": NOW - 599},
            {"connected": False, "reason": "gone", "disconnected_since_s": NOW - 600},
            {"connected": False, "reason": "gone", "disconnected_since_s": NOW - 1},
            {},
            "broker",
            "no connection to the broker for 10 min: gone",
        ),
        (
            {"store_since_s": NOW - STORE_S + 1, "store_failure": "disk full"},
            {"store_since_s": NOW - STORE_S, "store_failure": "disk full"},
            {"store_since_s": NOW - 1, "store_failure": "disk full"},
            {},
            "store",
            "nothing is stored: disk full",
        ),
        (
            {"idle_s": LOOP_S - 1},
            {"idle_s": LOOP_S},
            {"idle_s": LOOP_S},
            {"idle_s": 1.0},
            "loop",
            "no turn for 2 min",
        ),
    ],
)
def test_it_begins_at_its_mark_stays_between_and_is_over_beyond(
    nearly: dict[str, object],
    wrong: dict[str, object],
    still: dict[str, object],
    well: dict[str, object],
    key: str,
    words: str,
) -> None:
    looks = [replace(WELL, **keys) for keys in (nearly, wrong, wrong, still, well, well)]  # type: ignore[arg-type]
    assert told(*looks) == [([], []), ([words], []), ([], []), ([], []), ([], [key]), ([], [])]


def test_lost_messages_are_told_once_and_over_when_no_more_were_lost_for_a_while() -> None:
    looks = [
        replace(WELL, now_s=NOW + after_s, overflowed=lost)
        for after_s, lost in ((0, 0), (1, 5), (2, 5), (500, 9), (500 + OVERFLOW_S - 1, 9), (500 + OVERFLOW_S, 9))
    ]
    assert told(*looks) == [
        ([], []),
        (["5 messages of QoS 0 were lost because they came faster than they were handled"], []),
        ([], []),
        ([], []),
        ([], []),
        ([], ["overflow"]),
    ]


def test_a_silence_without_a_connection_is_the_brokers() -> None:
    seen = replace(WELL, connected=False, disconnected_since_s=NOW - 5000, silent_s=5000.0)
    ((begun, _),) = told(seen)
    assert len(begun) == 1
    assert "no connection" in begun[0]


def test_a_loop_that_waits_for_its_store_does_not_hang() -> None:
    ((begun, _),) = told(replace(WELL, idle_s=LOOP_S, store_since_s=NOW - 1000))
    assert [words.split(":")[0] for words in begun] == ["nothing is stored"]
