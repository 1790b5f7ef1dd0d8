"""What is wrong with the service itself begins and ends with hysteresis, and is told once each."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from anomgan.config import MonitorConfig
from anomgan_detector.complaints import LOOP_S, OVERFLOW_S, STORE_S, Seen, Watch, look
from anomgan_detector.watch import BrokerStanding

NOW = 1_800_000_000.0
CONFIG = MonitorConfig(silent_min=15.0, away_min=10.0, journal_full=0.8)
HEARD = BrokerStanding("", True, "", 0.0, 0.0, 0.0)
WELL = Seen(
    now_s=NOW,
    brokers=(HEARD,),
    idle_s=0.0,
    failing={},
    store_since_s=None,
    store_failure="",
    journal_share=0.0,
    overflowed=0,
)


def silent(for_s: float) -> dict[str, Any]:
    """A broker that is connected and quiet."""
    return {"brokers": (replace(HEARD, silent_s=for_s, unheard_s=for_s),)}


def away(for_s: float, name: str = "") -> dict[str, Any]:
    """A broker that is not connected."""
    return {"brokers": (BrokerStanding(name, False, "gone", for_s, for_s, inf),)}


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
            silent(899.0),
            silent(900.0),
            {"brokers": (replace(HEARD, silent_s=1.0, unheard_s=9000.0),)},  # connected anew, and nothing has come yet
            silent(1.0),
            "silent",
            "no message from the broker for 15 min although connected",
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
            away(599.0),
            away(600.0),
            away(1.0),
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
    nearly: dict[str, Any],
    wrong: dict[str, Any],
    still: dict[str, Any],
    well: dict[str, Any],
    key: str,
    words: str,
) -> None:
    looks = [replace(WELL, **keys) for keys in (nearly, wrong, wrong, still, well, well)]
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
    ((begun, _),) = told(replace(WELL, **away(5000.0)))
    assert len(begun) == 1
    assert "no connection" in begun[0]


def test_each_of_several_brokers_has_complaints_of_its_own() -> None:
    brokers = (away(700.0, "north")["brokers"][0], replace(HEARD, name="south"))
    quiet = (replace(HEARD, name="north"), replace(HEARD, name="south", silent_s=900.0, unheard_s=inf))
    assert told(replace(WELL, brokers=brokers), replace(WELL, brokers=quiet)) == [
        (["no connection to broker north for 12 min: gone"], []),
        (["no message from broker south for 15 min although connected"], ["broker.north"]),
    ]


def test_a_loop_that_waits_for_its_store_does_not_hang() -> None:
    ((begun, _),) = told(replace(WELL, idle_s=LOOP_S, store_since_s=NOW - 1000))
    assert [words.split(":")[0] for words in begun] == ["nothing is stored"]
