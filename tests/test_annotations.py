"""True faults as Grafana's annotations: the body of its API and the point in InfluxDB; and the command's file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from anomgan.annotations import Newest, annotation, annotation_line
from anomgan.judging import TrueFault
from anomgan.wire.influx import parse_lines
from anomgan_cli.main import cli

FAULT = TrueFault("north", "pump-1", "stuck", ("flow", "speed"), 1_704_067_300.25, 1_704_067_400.5, 1.5)


def test_a_fault_is_a_region_with_a_text_and_tags_to_ask_for() -> None:
    assert annotation(FAULT) == {
        "time": 1_704_067_300_250,
        "timeEnd": 1_704_067_400_500,
        "tags": ["anomgan-truth", "fault:stuck", "device:pump-1", "site:north"],
        "text": "north/pump-1: stuck of flow, speed, severity 1.5",
    }
    assert annotation(FAULT, "pumps", 3) == {"dashboardUID": "pumps", "panelId": 3, **annotation(FAULT)}
    bare = annotation(replace(FAULT, site="", channels=(), severity=None))
    assert (bare["text"], bare["tags"]) == ("pump-1: stuck", ["anomgan-truth", "fault:stuck", "device:pump-1"])


def test_what_befalls_a_network_is_tagged_so_and_without_an_end_it_is_a_moment() -> None:
    endless = replace(FAULT, domain="network", kind="absent", end_s=float("inf"))
    body = annotation(endless)
    assert "timeEnd" not in body
    assert "network:absent" in body["tags"]
    (line,) = parse_lines(annotation_line(endless))
    assert line is not None
    assert "timeEnd" not in dict(line.fields)


def test_no_tag_has_a_comma_or_is_longer_than_grafana_keeps() -> None:
    tags = annotation(replace(FAULT, device="a," + "x" * 126))["tags"]
    assert all(len(tag) <= 100 and "," not in tag for tag in tags)


def test_a_point_says_the_same_and_is_the_same_point_at_the_end() -> None:
    (line,) = parse_lines(annotation_line(FAULT))
    assert line is not None
    assert line.measurement == "truth"
    assert line.tags == {"site": "north", "device": "pump-1", "kind": "stuck", "channels": "flow speed"}
    assert dict(line.fields) == {
        "title": '"stuck"',
        "text": '"north/pump-1: stuck of flow, speed, severity 1.5"',
        "tags": '"anomgan-truth,fault:stuck,device:pump-1,site:north"',
        "timeEnd": "1704067400500i",
        "severity": "1.5",
    }
    assert line.timestamp == 1_704_067_300_250_000
    (later,) = parse_lines(annotation_line(replace(FAULT, end_s=FAULT.end_s + 60, ended=True)))
    assert later is not None
    assert (later.measurement, later.tags, later.timestamp) == (line.measurement, line.tags, line.timestamp)


def test_a_beginning_that_comes_late_or_again_is_no_news_and_undoes_no_end() -> None:
    begun, ended = FAULT, replace(FAULT, end_s=FAULT.end_s - 50, ended=True)
    newest = Newest()
    assert [newest.is_news(one) for one in (begun, begun, ended, begun, ended)] == [True, False, True, False, False]
    assert newest.faults == 1
    assert Newest().is_news(ended)


def test_only_so_many_faults_are_remembered_and_what_is_forgotten_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.annotations.MOST_KNOWN", 3)
    newest, faults = Newest(), [replace(FAULT, device=f"p{n}") for n in range(5)]
    assert all(map(newest.is_news, faults[:3]))
    assert newest.is_news(replace(faults[0], ended=True))
    assert all(map(newest.is_news, faults[3:]))
    assert (newest.faults, newest.forgotten) == (5, 2)
    assert not newest.is_news(faults[0])


def write_truth(path: Path) -> None:
    plain = {"device": "p1", "site": "", "kind": "leak", "channels": [], "severity": 1.0}
    records = [
        {"state": "run", "start_s": 1e9, "until_s": 1e9, "devices": [{"name": "p", "count": 2}]},
        plain | {"state": "begin", "start_s": 1e9 + 50, "end_s": 1e9 + 90},
        plain | {"state": "begin", "start_s": 1e9 + 5, "end_s": 1e9 + 9},
        plain | {"state": "end", "start_s": 1e9 + 5, "end_s": 1e9 + 7},
    ]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records) + "nonsense\n")


def test_the_command_writes_each_fault_once_in_order_with_its_true_end(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.jsonl")
    out = tmp_path / "annotations.json"
    done = CliRunner().invoke(cli, ["annotations", str(tmp_path / "truth.jsonl"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 faults" in done.output
    assert "broken json: 1" in done.output
    spans = [(one["time"] - 10**12, one["timeEnd"] - 10**12) for one in json.loads(out.read_text())]
    assert spans == [(5000, 7000), (50_000, 90_000)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give TRUTH or --follow"),
        (["t.jsonl"], "give --grafana or --influx or --out"),
        (["t.jsonl", "--follow", "localhost"], "give TRUTH or --follow"),
        (["--follow", "localhost", "--out", "a.json"], "give --grafana or --influx"),
        (["t.jsonl", "--out", "a.json", "--panel", "3"], "--panel goes with --dashboard"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["annotations", *arguments])
    assert done.exit_code == 2
    assert said in done.output


def test_how_to_log_in_means_something_with_a_broker_only(tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text("")
    line = ["annotations", str(tmp_path / "truth.jsonl"), "--out", str(tmp_path / "x"), "--username", "u"]
    said = CliRunner().invoke(cli, line)
    assert said.exit_code == 2
    assert "go with --follow" in said.output
