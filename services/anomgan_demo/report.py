"""The demo's figures: from the store and the ground truth, never from the detector's own opinion."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from anomgan.adapters.sqlite_read import open_reader
from anomgan.judging import TrueFault, decode_truth
from anomgan.matching import GRACE_S, Interval, issue_on, match_events
from anomgan.records import HealthIssue


def read_truth(path: Path, until_s: float) -> list[TrueFault]:
    """The faults that began, cut at `until_s`, the end of what was published; one that was stopped ended then."""
    records = map(decode_truth, path.read_bytes().splitlines())
    begun = {one.key: one for one in records if isinstance(one, TrueFault) and not one.domain}
    return [replace(one, end_s=min(one.end_s, until_s)) for one in begun.values()]


def make_report(
    store: Path, truth: Path, published: dict[str, int], collected: int, facts: dict[str, Any]
) -> dict[str, Any]:
    """All figures. `published` has the messages of the normal and the live stretch, `collected` those trained on."""
    with open_reader(store) as reader:
        counts, counters = reader.counts(), reader.counters()
        events = reader.events(limit=100_000)
        issues = reader.issues(only_open=False, limit=100_000)
        newest_s = reader.summary().newest_s
    faults = read_truth(truth, newest_s if newest_s is not None else float("inf"))
    spans = [Interval(fault.start_s, max(fault.start_s, fault.end_s), fault.device, fault.site) for fault in faults]
    matching = match_events(spans, events, GRACE_S)
    told = [issue_on(span, fault.channels, issues, GRACE_S) for span, fault in zip(spans, faults, strict=True)]
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
        "told_by_data_quality": sum(told[number] is not None for number in matching.missed),
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
                "told_by_data_quality": None if issue is None else _issue(issue),
            }
            for number, (fault, issue) in enumerate(zip(faults, told, strict=True))
        ],
        "false_alarm_reasons": [f"{events[i].device}: {events[i].reason}" for i in matching.false_alarms],
    }


def _issue(issue: HealthIssue) -> dict[str, Any]:
    return {"kind": issue.kind, "channel": issue.channel, "start_s": issue.start_s, "reason": issue.reason}


def describe_report(report: dict[str, Any]) -> str:
    """The report for people."""
    delay = (
        "" if report["median_delay_s"] is None else f", median delay {report['median_delay_s']:.0f} s of device time"
    )
    told = f", {report['told_by_data_quality']} more told by data quality" if report["told_by_data_quality"] else ""
    lines = [
        f"messages: {report['messages_published']} published, {report['messages_received']} received; "
        f"dropped: {json.dumps(report['dropped'])}",
        f"readings: {report['readings_scored']} scored, {report['readings_warming_up']} in warm-up; "
        f"{report['scores_stored']} scores and {report['events_stored']} events stored",
        f"faults: {report['events_found']} of {report['true_events']} found{delay}{told}; "
        f"{report['false_alarms']} false alarms",
    ]
    for fault in report["faults"]:
        if fault["found"]:
            mark = f"found after {fault['delay_s']:.0f} s, named {', '.join(fault['named'])}"
        elif fault["told_by_data_quality"] is not None:
            mark = f"no event, but told by data quality: {fault['told_by_data_quality']['reason']}"
        else:
            mark = "MISSED"
        lines.append(f"  {fault['device']:<8} {fault['kind']:<18} {', '.join(fault['channels'])}: {mark}")
    lines += [f"  false alarm, {reason}" for reason in report["false_alarm_reasons"]]
    return "\n".join(lines)
