"""What the API says of a device that is not heard: silent, and last seen when it really was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from store_records import health, issue, verdict

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.records import Verdict
from anomgan_dashboard.answers import answer

NOW, HOUR_S = 1.7e9, 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def speaks(device: str = "p1", off_s: float = 0.0, seconds: int = 100) -> list[Verdict]:
    """A verdict every second until now, by a clock that is off by so much."""
    return [verdict(NOW + off_s + t, device=device) for t in range(-seconds, 1)]


def written(path: Path, *batches: Batch) -> None:
    store = SqliteStore(path)
    for batch in batches:
        store.write(batch)
    store.close()


def ask(path: Path, now_s: float) -> dict[str, tuple[str, float]]:
    """(state, seen) of each device, which fleet and device's own page must say alike."""
    told: Sequence[dict[str, Any]] = answer("fleet", {}, path, now_s)["devices"]
    for one in told:
        own = answer("device", {"site": "north", "device": one["device"]}, path, now_s)
        assert (own["device"]["state"], own["device"]["seen_s"]) == (one["state"], one["seen_s"])
        assert own["now_s"] == now_s
    return {one["device"]: (one["state"], one["seen_s"]) for one in told}


def test_the_only_device_is_silent_once_it_is_not_heard_though_its_health_is_told_on(path: Path) -> None:
    written(path, Batch(speaks(), now_s=NOW + 0.5))
    assert ask(path, NOW + 30.0) == {"p1": ("normal", NOW + 0.5)}
    assert ask(path, NOW + HOUR_S) == {"p1": ("silent", NOW + 0.5)}
    later_s = NOW + HOUR_S
    written(path, Batch(health=[health(later_s, silent_s=HOUR_S - 0.5)], now_s=later_s))
    assert ask(path, later_s) == {"p1": ("silent", NOW + 0.5)}
    known = answer("fleet", {}, path, later_s)
    assert ask(path, later_s + 1.0)["p1"] == ("silent", NOW + 0.5)
    asked = {"since": str(known["revision"]), "store": known["store"]}
    assert len(answer("fleet", asked, path, later_s)["devices"]) == 1  # it needs no write


def test_a_device_of_which_the_service_says_so_is_silent_before_that_until_it_says_otherwise(path: Path) -> None:
    quiet = issue(NOW, channel="", kind="silent", id="north/p1:silent@1")
    written(path, Batch(speaks(), now_s=NOW), Batch(issues=[quiet], now_s=NOW + 20.0))
    assert ask(path, NOW + 20.0) == {"p1": ("silent", NOW)}
    closed = issue(NOW, channel="", kind="silent", id="north/p1:silent@1", state="closed", end_s=NOW + 30.0)
    written(path, Batch([verdict(NOW + 30.0)], issues=[closed], now_s=NOW + 30.0))
    assert ask(path, NOW + 31.0) == {"p1": ("normal", NOW + 30.0)}


def test_one_channel_that_is_missing_makes_no_device_silent(path: Path) -> None:
    written(path, Batch(speaks(), issues=[issue(NOW, kind="silent")], now_s=NOW))
    assert ask(path, NOW + 1.0) == {"p1": ("normal", NOW)}


def test_clocks_of_devices_that_are_off_make_neither_them_nor_others_silent(path: Path) -> None:
    several = [*speaks(), *speaks("ahead", HOUR_S), *speaks("behind", -HOUR_S)]
    written(path, Batch(several, now_s=NOW))
    assert ask(path, NOW + 1.0) == dict.fromkeys(("p1", "ahead", "behind"), ("normal", NOW))


def test_where_nothing_says_when_it_was_heard_it_is_as_long_ago_as_the_times_of_verdicts_say(path: Path) -> None:
    written(path, Batch([*speaks(seconds=500), *speaks("lags", -400.0)]))
    stands = answer("summary", {}, path, 0.0)
    assert stands["idle_s"] == 0.0
    now_s = path.stat().st_mtime
    told = ask(path, now_s + 10.0)
    assert told["p1"] == ("normal", pytest.approx(now_s, abs=2.0))
    assert told["lags"] == ("silent", pytest.approx(now_s - 400.0, abs=2.0))
