"""The demo's folder: what an earlier demo left is gone, what is somebody else's is not; what it writes and reports."""

import tomllib
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path

import orjson
from store_records import event, issue, verdict

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.config import BrokerConfig, ServiceConfig, parse_config
from anomgan.simulate import Fault, parse_scenario
from anomgan.simulate.network import Incident
from anomgan_demo.files import Folder, write_detector, write_simulator
from anomgan_demo.report import describe_report, make_report, read_truth
from anomgan_simulator.truth import incident_record, run_record, truth_record

LEFT = (
    "anomgan.db",
    "anomgan.db-wal",
    "anomgan.db-shm",
    "journal.db",
    "journal.db-wal",
    "journal.db-shm",
    "journal.db.lock",
    "truth.jsonl",
    "simulate.toml",
    "detector.toml",
    "simulate.log",
    "detect.log",
    "dashboard.log",
    "pump.safetensors",
    "cold_store.safetensors",
    "published-normal.json",
    "published-live.json",
    "journal-models/0a.safetensors",
)


def test_a_demo_begins_anew_and_touches_nothing_else(tmp_path: Path) -> None:
    """A journal that stayed would know times which the new run has still to reach, and drop them as late."""
    (tmp_path / "demo" / "journal-models").mkdir(parents=True)
    for name in (*LEFT, "mine.txt"):
        (tmp_path / "demo" / name).write_text("left")
    Folder(tmp_path / "demo").prepare()
    assert [path.name for path in (tmp_path / "demo").rglob("*") if path.is_file()] == ["mine.txt"]


def test_the_page_of_a_demo_can_reach_its_simulator_and_its_detector(tmp_path: Path) -> None:
    folder, broker = Folder(tmp_path), BrokerConfig(host="127.0.0.1", port=1999)
    write_simulator(folder, broker, start="2024-01-01T00:00:00Z", seed=0, speed=20.0, normal_rows=6000, live_rows=None)
    write_detector(folder, broker, 8050)
    scenario = parse_scenario(tomllib.loads(folder.simulator.read_text()), "simulate.toml")
    service = parse_config(ServiceConfig, tomllib.loads(folder.detector.read_text()), "detector.toml")
    assert Path(service.dashboard.simulator) == folder.simulator
    assert service.control.enabled
    assert scenario.config.broker.port == broker.port


def test_a_fault_that_was_stopped_ended_then(tmp_path: Path) -> None:
    fault = Fault("n", "p", "bias", ("flow",), 4.0, 404.0, 3.0, injected=True)
    stopped = replace(fault, stopped_s=12.0)
    cut_off = Incident("n", "p", "outage", 4.0, inf)
    records = [
        run_record([{"site": "n", "kind": "pump", "name": "p", "count": 1}], 100.0, 300.0, ended=True),
        incident_record(cut_off, "begin", 100.0),
        truth_record(fault, "begin", 100.0),
        truth_record(stopped, "end", 100.0),
    ]
    (tmp_path / "truth.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)))
    assert [(one.start_s, one.end_s) for one in read_truth(tmp_path / "truth.jsonl", 1e9)] == [(104.0, 112.0)]
    assert [(one.start_s, one.end_s) for one in read_truth(tmp_path / "truth.jsonl", 110.0)] == [(104.0, 110.0)]


def test_the_report_says_what_data_quality_told_and_does_not_count_it_as_found(tmp_path: Path) -> None:
    faults = [
        Fault("north", "p1", "stuck", ("flow",), 1000.0, 1100.0, 1.0),
        Fault("north", "p1", "stuck", ("pressure",), 1000.0, 1100.0, 1.0),
        Fault("north", "p2", "bias", ("flow",), 1000.0, 1100.0, 3.0),
    ]
    (tmp_path / "truth.jsonl").write_bytes(b"\n".join(orjson.dumps(truth_record(one, "end", 0.0)) for one in faults))
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        store.write(Batch([verdict(1500.0), verdict(1500.0, device="p2")]))
        store.write(Batch(events=[event("e1", 1042.0, 1060.0, device="p2")], issues=[issue(998.0, end_s=1090.0)]))
    report = make_report(tmp_path / "store.db", tmp_path / "truth.jsonl", {"normal": 1, "live": 2}, 1, {})
    assert (report["true_events"], report["events_found"], report["told_by_data_quality"]) == (3, 1, 1)
    assert [one["found"] for one in report["faults"]] == [False, False, True]
    assert [one["told_by_data_quality"] and one["told_by_data_quality"]["kind"] for one in report["faults"]] == [
        "stuck", None, None,
    ]  # fmt: skip
    said = describe_report(report)
    assert "faults: 1 of 3 found, median delay 42 s of device time, 1 more told by data quality; 0 false alarms" in said
    assert 'stuck              flow: no event, but told by data quality: flow has read 3 "again" and again' in said
    assert "stuck              pressure: MISSED" in said
