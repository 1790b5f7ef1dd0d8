"""`anomgan judge` on files: the report in words, as JSON, as tables and as pictures; what it shows while it listens."""

import csv
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from anomgan.judging import Judge, Rules, decode_event, decode_truth
from anomgan_cli.judge_plots import pictures
from anomgan_cli.main import cli
from anomgan_judge.hearing import Hearing, topics
from anomgan_judge.screen import Screen
from anomgan_judge.words import brief, live, seconds, summary, tables, weeks

START_S = 1_704_067_200.0
DEVICES = [
    {"site": "north", "kind": "pump", "name": "pump-", "count": 12},
    {"site": "", "kind": "store", "name": "cold"},
]


def fault(start: float, end: float, device: str = "pump-1", kind: str = "leak", **more: Any) -> list[dict[str, Any]]:
    """Its beginning and its end."""
    span = {"start_s": START_S + start, "end_s": START_S + end}
    site = "" if device == "cold" else "north"
    plain = {"device": device, "site": site, "kind": kind, "channels": ["flow"], "severity": 1.0, **span, **more}
    return [plain | {"state": "begin"}, plain | {"state": "end"}]


def event(start: float, end: float, device: str = "pump-1", **more: Any) -> list[dict[str, Any]]:
    """Its opening, eight seconds after its start, and its end."""
    site = "" if device == "cold" else "north"
    plain = {"id": f"{device}@{start}", "device": device, "site": site, "start_s": START_S + start,
             "channels": [{"channel": "flow"}], "severity": "major", "reason": "flow fell, far"}  # fmt: skip
    opened = plain | {"state": "open", "end_s": START_S + start + 8, "end": None}
    return [opened | more, plain | {"state": "closed", "end_s": START_S + end} | more]


def run(until: float, *, ended: bool = True) -> dict[str, Any]:
    return {"state": "run", "start_s": START_S, "until_s": START_S + until, "ended": ended, "devices": DEVICES}


TRUTH = [
    *(run(0, ended=False), *fault(100, 200), *fault(1000, 1300, "pump-2", "wear"), *fault(2000, 2100, "cold")),
    *(fault(6000, 8000, "pump-3")[0], run(7200)),
]
EVENTS = [*event(130, 210), *event(150, 180), *event(2050, 2055, "cold"), *event(3000, 3010, "pump-12")]


def write(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def judge(folder: Path, *arguments: str, truth: list[Any] = TRUTH, events: list[Any] = EVENTS) -> Result:
    files = (write(folder / "truth.jsonl", truth), write(folder / "events.jsonl", events))
    options = ["--truth-file", str(files[0]), "--events-file", str(files[1]), *arguments]
    return CliRunner().invoke(cli, ["judge", *options])


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_the_report_on_two_files_is_exact(tmp_path: Path) -> None:
    done = judge(tmp_path, "--out", str(tmp_path / "out"), "--grace", "1m")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    weeks = 13 * 7200 / 604_800
    total = figures.pop("total")
    assert {key: total[key] for key in ("faults", "found", "recall", "median_delay_s", "p90_delay_s")} == {
        "faults": 3, "found": 2, "recall": 2 / 3, "median_delay_s": 40.0, "p90_delay_s": 48.0,
    }  # fmt: skip
    assert (total["median_told_s"], total["named"], total["nameable"]) == (48.0, 2, 2)
    assert {row["kind"]: (row["found"], row["faults"]) for row in figures["kinds"]} == {"leak": (2, 2), "wear": (0, 1)}
    assert {row["kind"]: (row["found"], row["faults"]) for row in figures["device_kinds"]} == {
        "pump": (1, 2), "store": (1, 1),
    }  # fmt: skip
    assert (figures["precision"], figures["hits"], figures["repeats"]) == (3 / 4, 3, 1)
    assert (figures["false_alarms"], figures["devices"], figures["going_on"]) == (1, 13, 1)
    assert figures["device_weeks"] == pytest.approx(weeks)
    assert figures["alarms_per_week"] == pytest.approx(1 / weeks)
    assert figures["alarms_per_week_high"] == pytest.approx(5.5716 / weeks, rel=1e-4)
    assert figures["f1"] == pytest.approx(2 * (2 / 3) * 0.75 / (2 / 3 + 0.75))
    assert figures["rules"] == {"grace_s": 60.0, "warm_up_s": 0.0, "devices": None}
    assert figures["not_counted"] == {}


def test_every_fault_and_every_false_alarm_is_a_row_of_its_table(tmp_path: Path) -> None:
    outage = fault(2900, 3100, "pump-12", "outage", domain="network")
    done = judge(tmp_path, "--out", str(tmp_path / "out"), truth=[*TRUTH, *outage])
    assert "1 during network incidents" in done.output
    assert "north/pump-12, during outage: flow fell, far" in done.output
    found = rows(tmp_path / "out" / "faults.csv")
    assert [(row["device"], row["kind"], row["status"], row["device_kind"]) for row in found] == [
        ("pump-1", "leak", "found", "pump"),
        ("pump-2", "wear", "missed", "pump"),
        ("cold", "leak", "found", "store"),
        ("pump-3", "leak", "going on", "pump"),
    ]
    assert found[0]["event"] == "pump-1@130"
    assert (found[0]["delay_s"], found[0]["told_after_s"], found[0]["first_channel_right"]) == ("30.0", "38.0", "1")
    assert (found[0]["start"], found[0]["told"]) == ("2024-01-01T00:01:40Z", "2024-01-01T00:02:18Z")
    assert found[1]["delay_s"] == found[1]["event"] == ""
    (alarm,) = rows(tmp_path / "out" / "false_alarms.csv")
    assert (alarm["device"], alarm["reason"], alarm["start"]) == ("pump-12", "flow fell, far", "2024-01-01T00:50:00Z")
    assert alarm["during"] == "outage"


def test_the_words_say_what_was_missed_what_was_false_and_what_could_not_be_read(tmp_path: Path) -> None:
    done = judge(tmp_path, events=[*EVENTS, {"device": "p"}, [], {"start": 5}, {"start": 6}])
    assert "recall 0.67 (2 of 3), precision 0.75 (3 of 4 events)" in done.output
    assert "missed: 2024-01-01 00:16:40 UTC to 00:21:40 north/pump-2: wear of flow" in done.output
    assert "false alarm: 2024-01-01 00:50:00 UTC north/pump-12: flow fell, far" in done.output
    assert "3 faults over; 1 going on; 13 devices as the truth tells" in done.output
    assert "; told after 48 s, for 90 % after 56 s;" in done.output
    assert "; 1 repeat" in done.output
    assert "pump 12 0.143 device-weeks 1 7 0.177 to 39" in " ".join(done.output.split())
    assert "not counted, events bad device name: 2" in done.output
    assert "not counted, events no start: 1" in done.output
    assert "not counted, events not an object: 1" in done.output


def test_what_is_over_the_bounds_of_memory_is_counted_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.judging.judge.MOST", 2)
    done = judge(tmp_path, "--out", str(tmp_path / "out"))
    assert "not counted, truth too many faults: 3, first" in done.output
    assert "truth.jsonl:6: more than 2 faults are not remembered" in done.output
    assert json.loads((tmp_path / "out" / "report.json").read_text())["not_counted"] == {
        "truth.too_many_faults": 3, "events.too_many_events": 4,
    }  # fmt: skip


def test_a_foreign_detectors_keys_are_given(tmp_path: Path) -> None:
    told = [{"host": "pump-1", "from": "2024-01-01T00:02:10Z", "to": "2024-01-01T00:03:00Z"}]
    done = judge(tmp_path, "--key", "device=host", "--key", "start=from", "--key", "end=to", events=told)
    assert "recall 0.33 (1 of 3), precision 1.00 (1 of 1 events)" in done.output
    done = judge(tmp_path, "--key", "begin=from")
    assert done.exit_code == 2
    assert "'begin': write OURS=THEIRS, where ours is one of id, device" in done.output


def test_the_pictures_are_drawn_for_many_devices_for_few_faults_and_for_none() -> None:
    def drawn(truth: list[Any], events: list[Any]) -> set[str]:
        judged = Judge(Rules())
        for record in truth:
            judged.add_truth(decode_truth(json.dumps(record).encode()))
        for record in events:
            judged.add_event(decode_event(json.dumps(record).encode()))
        found = pictures(judged.report())
        assert all(content.startswith(b"\x89PNG") for content in found.values())
        return set(found)

    many = [line for n in range(1, 61) for line in fault(n, n + 50, f"pump-{n}", f"kind-{n % 3}")]
    assert drawn([*TRUTH, *many], EVENTS) == {"timeline.png", "recall.png", "delay.png"}
    assert drawn(TRUTH, []) == {"timeline.png", "recall.png"}
    assert drawn([], [event(5, 5)[1]]) == {"timeline.png"}
    assert drawn([run(0)], []) == set()
    assert drawn(fault(5, 5), event(5, 5)) == {"timeline.png", "recall.png", "delay.png"}


def test_pictures_stay_of_a_size_with_hundreds_of_kinds_and_devices_and_take_names_of_any_script_and_length() -> None:
    def sizes(kinds: int, devices: int, name: str) -> list[tuple[int, int]]:
        judged = Judge()
        for n in range(max(kinds, devices)):
            place = {"device": f"{name}{n % devices}", "kind": f"{name}{n % kinds}"}
            judged.add_truth(decode_truth(json.dumps(fault(100 * n, 100 * n + 50)[1] | place).encode()))
            told = event(100 * n + 10, 100 * n + 20)[1] | {"device": place["device"]}
            judged.add_event(decode_event(json.dumps(told).encode()))
        return [struct.unpack(">II", content[16:24]) for content in pictures(judged.report()).values()]

    assert sizes(3, 4, "漢字 \u0915 $x_") == sizes(3, 4, "m" * 100)
    assert sizes(41, 41, "p") == sizes(120, 120, "p")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["judge"], "give a BROKER"),
        (["judge", "--truth-file", "a"], "give a BROKER"),
        (["judge", "localhost", "--truth-file", "a"], "give a BROKER"),
        (["judge", "localhost", "--truth-file", "a", "--events-file", "b"], "give a BROKER"),
        (["judge", "localhost:x"], "is not HOST or HOST:PORT"),
        (["judge", "localhost", "--for", "soon"], "'soon' is not a time"),
        (["judge", "localhost", "--grace", "-5s"], "is not a time ahead"),
        (["judge", "localhost", "--devices", "0"], "0 is not in the range"),
        (["judge", "localhost", "--key", "start"], "write OURS=THEIRS"),
    ],
)
def test_what_is_wrong_with_the_options_is_said(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_file_that_is_not_there_is_one_line_and_a_folder_is_made(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["judge", "--truth-file", "no.jsonl", "--events-file", "no.jsonl"])
    assert "no.jsonl: no such file" in str(done.exception)
    assert judge(tmp_path, "--out", str(tmp_path / "a" / "b")).exit_code == 0
    assert (tmp_path / "a" / "b" / "timeline.png").exists()


# ---------------------------------------------------------------- what is heard and shown


def test_a_second_run_is_judged_although_the_record_of_the_same_run_before_it_is_still_there() -> None:
    from anomgan.adapters.ports import Message

    hearing, where = Hearing(Judge(live=True), {}), topics("anomgan/truth/#", ["alerts/{device}"])
    hearing.message(where, Message("anomgan/truth", json.dumps(run(600)).encode(), retained=True))
    for record in (run(0, ended=False), *fault(60, 120), run(600)):
        hearing.message(where, Message("anomgan/truth", json.dumps(record).encode()))
    report = hearing.judge.report()
    assert [row.aside for row in report.rows] == [""]
    assert report.device_weeks == pytest.approx(13 * 600 / 604_800)


@pytest.mark.parametrize(
    "more", ['"more": ' + "9" * 5000, '"more": ' + "[" * 1005 + "]" * 1005], ids=["a long number", "many brackets"]
)
def test_what_cannot_be_kept_is_judged_and_counted(more: str) -> None:
    from anomgan.adapters.ports import Message

    kept: list[Any] = []
    hearing, where = Hearing(Judge(), {}, kept.append, kept.append), topics("anomgan/truth/#", ["alerts/{device}"])
    payload = '{"device": "pump-1", "start": "2024-01-01T00:00:05Z", ' + more + "}"
    hearing.message(where, Message("alerts/pump-1", payload.encode()))
    assert (hearing.counters["events"], len(kept)) in {(1, 1), (1, 0), (0, 0)}
    assert hearing.counters.total() == 1 + hearing.counters["events.not_kept"]


def test_what_is_retained_is_old_also_a_run_which_says_itself_that_it_goes_on() -> None:
    from anomgan.adapters.ports import Message

    hearing = Hearing(Judge(live=True), {})
    where = topics("anomgan/truth/#", ["alerts/{device}"])
    told = json.dumps(event(5, 10)[0]).encode()
    hearing.message(where, Message("alerts/pump-1", told, retained=True))
    hearing.message(where, Message("anomgan/truth/pump-1", json.dumps(fault(1, 2)[0]).encode(), retained=True))
    hearing.message(where, Message("anomgan/truth", json.dumps(run(60)).encode(), retained=True))
    assert hearing.counters == {"events.retained": 1, "truth.retained": 2}
    assert not hearing.over
    assert hearing.judge.report().devices == 0
    hearing.message(where, Message("anomgan/truth", json.dumps(run(70, ended=False)).encode()))
    assert not hearing.over
    assert hearing.judge.report().devices == 13
    hearing.message(where, Message("anomgan/truth", json.dumps(run(80)).encode()))
    assert hearing.over
    hearing.message(where, Message("alerts/pump-9", b'{"start": "2024-01-01T00:00:05Z", "state": "open"}'))
    hearing.message(where, Message("alerts/pump-9", b"x" * 2_000_000))
    assert [one.device for one in hearing.judge.events.values()] == ["pump-9"]
    assert hearing.counters["messages.too_long"] == 1


def test_a_block_is_drawn_in_place_of_the_last_and_log_lines_stand_above_it() -> None:
    stream = io.StringIO()
    screen = Screen(stream, lambda: (20, 4))
    screen.draw(["one", "two"])
    screen.draw(["a" * 30, "b", "c", "d", "e"])
    screen.write("lost\n")
    screen.clear()
    assert stream.getvalue() == "one\ntwo\n" + "\x1b[2F\x1b[J" + "a" * 19 + "\nb\nc\n" + "\x1b[3F\x1b[Jlost\n"


def test_what_is_shown_live_fits_into_the_terminal_and_says_what_it_leaves_out() -> None:
    judged = Judge()
    for record in TRUTH:
        judged.add_truth(decode_truth(json.dumps(record).encode()))
    for record in EVENTS:
        judged.add_event(decode_event(json.dumps(record).encode()))
    report, notes = judged.report(), ["note: what is long is broken where a word ends"]
    whole = live(report, notes, 200, 50)
    assert whole == [*summary(report), *tables(report), *notes]
    narrow = live(report, notes, 40, 50)
    assert [line for line in narrow if len(line) > 40] == [line for line in tables(report) if len(line) > 40]
    assert " ".join(narrow).split() == " ".join(whole).split()
    assert live(report, notes, 200, 6) == [*whole[:5], f"and {len(whole) - 5} more lines"]


def test_words_for_nothing_and_for_large_and_small() -> None:
    report = Judge().report()
    assert list(summary(report)) == [brief(report)] == ["nothing heard yet"]
    assert list(tables(report)) == []
    assert [seconds(one) for one in (None, 0.4, 119.0, 210.0, 7560.0)] == ["-", "0 s", "119 s", "3.5 min", "2.1 h"]
    assert [weeks(one) for one in (0.01, 2.0)] == ["1.68 device-hours", "2 device-weeks"]
