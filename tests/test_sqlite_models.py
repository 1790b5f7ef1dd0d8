"""Sheets of models in the store, and how much each model has judged: once, and for as long as its events are kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_records import NAN, dump, event, make_older, verdict

from anomgan.adapters.ports import Batch, Sheet
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_models import BIN, OUT_OF_USE, Judged
from anomgan.adapters.sqlite_read import open_reader

DAY_S = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def sheet(name: str = "pump", digest: str = "d1", **content: Any) -> Sheet:
    return Sheet("model", name, digest, {"name": name, **content})


FLEET = Sheet("fleet", "f1", "d1", {"topic": "plant/#", "champion": "pump"})


def judged(path: Path, model: str = "pump") -> Judged:
    with open_reader(path) as reader:
        return reader.judged(model)


def test_sheets_are_read_back_and_those_in_use_come_first(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch(sheets=[sheet("old"), FLEET], now_s=1.0))
    store.write(Batch(sheets=[sheet("pump", unit="m³/h"), replace(FLEET, name="f2")], now_s=2.0))
    store.write(Batch([verdict(5.0)]))  # says nothing of models, so they stay
    store.close()
    with open_reader(path) as reader:
        models = [(one.name, told_s, in_use) for one, told_s, in_use in reader.sheets("model")]
        assert models == [("pump", 2.0, True), ("old", 1.0, False)]
        assert reader.sheets("model", "pump")[0][0].content["unit"] == "m³/h"
        assert [one.name for one, _, _ in reader.sheets("fleet")] == ["f2"]
        assert reader.sheets("model", "nobody") == []


def test_sheets_that_nobody_uses_do_not_pile_up(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(OUT_OF_USE + 10):
        name = f"m{number:03}"
        store.write(Batch([verdict(float(number), model=name)], sheets=[sheet(name)], now_s=float(number)))
    store.close()
    with open_reader(path) as reader:
        names = [one.name for one, _, _ in reader.sheets("model")]
    assert len(names) == OUT_OF_USE + 1
    assert names[0] == "m029"
    assert {str(row[0]) for row in dump(path)["judged"]} == set(names)


def test_known_windows_count_once_whatever_is_written_again(path: Path) -> None:
    store = SqliteStore(path)
    batch = Batch([verdict(1.0, NAN), *(verdict(float(t), 0.1 * t) for t in range(2, 12))])
    for _ in range(3):
        store.write(batch)
    store.close()
    again = SqliteStore(path)  # another process, after a crash
    again.write(batch)
    again.write(Batch([verdict(11.0, 1.1), verdict(12.0, 20.0)]))
    again.close()
    found = judged(path)
    assert (found.windows, found.first_s, found.last_s) == (11, 2.0, 12.0)
    assert found.bins is not None
    naive = np.bincount([min(int(s / BIN), 48) for s in [*(0.1 * t for t in range(2, 12)), 20.0]], minlength=49)
    np.testing.assert_array_equal(found.bins, naive)


def test_events_of_the_counted_time_are_told_by_what_became_of_them(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(float(t), 1.0, "p1") for t in range(100, 200)]))
    events = [
        event("e0", start_s=99.0, end_s=99.0, model="pump"),  # before the first window that counts
        event("e1", start_s=120.0, end_s=130.0, model="pump"),
        event("e2", start_s=140.0, end_s=150.0, model="pump", state="muted"),
        event("e3", start_s=160.0, end_s=170.0, model="pump", state="false_alarm"),
        event("e4", start_s=160.0, end_s=170.0, model="pump", device="p2", state="closed"),
        event("e5", start_s=160.0, end_s=170.0, model="another"),
        event("e6", start_s=160.0, end_s=170.0, model="pump", site="south", state="closed"),  # p1, but elsewhere
    ]
    store.write(Batch(events=events))
    store.close()
    found = judged(path)
    assert (found.told, found.muted, found.false_alarms, found.devices) == (4, 1, 1, 3)
    assert (found.most, found.most_device) == (2, "p1")
    assert judged(path, "another").windows == judged(path, "another").told == 0


def test_another_model_by_the_same_name_begins_to_count_anew(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0), verdict(2.0)], sheets=[sheet()]))
    store.write(Batch(sheets=[sheet(rows=7)]))  # the same file, told anew
    assert judged(path).windows == 2
    store.write(Batch(sheets=[sheet(digest="d2")]))
    assert judged(path).windows == 0
    store.write(Batch([verdict(3.0), verdict(4.0)], sheets=[sheet(digest="d3")]))
    store.close()
    assert (judged(path).windows, judged(path).first_s) == (2, 3.0)


def test_days_whose_events_are_deleted_are_not_counted(path: Path) -> None:
    store = SqliteStore(path, retention_days=2.0)
    for day in range(6):
        store.write(Batch([verdict(day * DAY_S + 3600.0 * hour, 1.0) for hour in range(24)]))
    store.close()
    found = judged(path)
    assert (found.windows, found.first_s) == (2 * 24, 4 * DAY_S)


def test_a_store_of_the_third_schema_is_brought_up_to_date(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    store.close()
    make_older(path)
    store = SqliteStore(path)
    store.write(Batch([verdict(2.0)], sheets=[sheet()]))
    store.close()
    with open_reader(path) as reader:
        assert [one.name for one, _, _ in reader.sheets("model")] == ["pump"]
    assert (judged(path).windows, judged(path).first_s) == (1, 2.0)
