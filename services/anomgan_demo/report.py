"""The demo's figures: from the store and the ground truth, never from the detector's own opinion."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from anomgan.adapters.sqlite_read import open_reader
from anomgan.matching import Interval, match_events

TOLERANCE_S = 120.0
"""a machine takes a while to recover from a fault; an event that starts so soon after one belongs to it"""


@dataclass(frozen=True, slots=True)
class TrueFault:
    """One fault of the ground truth."""

    site: str
    device: str
    kind: str
    channels: tuple[str, ...]
    start_s: float
    end_s: float


def read_truth(path: Path, until_s: float) -> list[TrueFault]:
    """The faults that began, cut at `until_s`, the end of what was published; one that was stopped ended then."""
    lines = [line for line in map(orjson.loads, path.read_bytes().splitlines()) if line["state"] in ("begin", "end")]
    begun = {(line["site"], line["device"], line["kind"], line["start_s"], *line["channels"]): line for line in lines}
    return [
        TrueFault(
            line["site"],
            line["device"],
            line["kind"],
            tuple(line["channels"]),
            line["start_s"],
            min(line["end_s"], until_s),
        )
        for line in begun.values()
    ]


def make_report(
    store: Path, truth: Path, published: dict[str, int], collected: int, facts: dict[str, Any]
) -> dict[str, Any]:
    """All figures. `published` has the messages of the normal and the live stretch, `collected` those trained on."""
    with open_reader(store) as reader:
        counts, counters = reader.counts(), reader.counters()
        events = reader.events(limit=100_000)
        newest_s = reader.summary().newest_s
    faults = read_truth(truth, newest_s if newest_s is not None else float("inf"))
    matching = match_events(
        [Interval(fault.start_s, max(fault.start_s, fault.end_s), fault.device, fault.site) for fault in faults],
        events,
        TOLERANCE_S,
    )
    found_by = dict(matching.pairs)
    delays = dict(zip(found_by, matching.delays_s, strict=True))
    dropped = {
        name.removeprefix("dropped."): count
        for name, count in counters.items()
        if name.startswith("dropped.") and count
    }
    return {
        "messages_published": sum(published.values()),
        "messages_received": collected + counters.get("messages_received", 0),
        "messages_for_training": collected,
        "readings_received": counters.get("readings_received", 0),
        "readings_warming_up": counters.get("readings_warming_up", 0),
        "readings_scored": counters.get("readings_scored", 0),
        "scores_stored": counts.scores,
        "events_stored": counts.events,
        "true_events": len(faults),
        "events_found": len(matching.pairs),
        "false_alarms": len(matching.false_alarms),
        "median_delay_s": None if not delays else matching.median_delay_s,
        "dropped": dropped,
        **facts,
        "faults": [
            {
                "device": fault.device,
                "kind": fault.kind,
                "channels": list(fault.channels),
                "start_s": fault.start_s,
                "end_s": fault.end_s,
                "found": number in found_by,
                "delay_s": delays.get(number),
                "named": list(events[found_by[number]].channels) if number in found_by else [],
            }
            for number, fault in enumerate(faults)
        ],
        "false_alarm_reasons": [f"{events[i].device}: {events[i].reason}" for i in matching.false_alarms],
    }


def describe_report(report: dict[str, Any]) -> str:
    """The report for people."""
    delay = (
        "" if report["median_delay_s"] is None else f", median delay {report['median_delay_s']:.0f} s of device time"
    )
    lines = [
        f"messages: {report['messages_published']} published, {report['messages_received']} received; "
        f"dropped: {json.dumps(report['dropped'])}",
        f"readings: {report['readings_scored']} scored, {report['readings_warming_up']} in warm-up; "
        f"{report['scores_stored']} scores and {report['events_stored']} events stored",
        f"faults: {report['events_found']} of {report['true_events']} found{delay}; "
        f"{report['false_alarms']} false alarms",
    ]
    for fault in report["faults"]:
        mark = (
            f"found after {fault['delay_s']:.0f} s, named {', '.join(fault['named'])}" if fault["found"] else "MISSED"
        )
        lines.append(f"  {fault['device']:<8} {fault['kind']:<18} {', '.join(fault['channels'])}: {mark}")
    lines += [f"  false alarm, {reason}" for reason in report["false_alarm_reasons"]]
    return "\n".join(lines)
