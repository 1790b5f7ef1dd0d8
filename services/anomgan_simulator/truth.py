"""Ground truth in plain values: a record when a fault begins, one when it ends; alike on the topic and in the file."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from anomgan.simulate import Fault
from anomgan.simulate.fault_plan import table_of
from anomgan.simulate.network import Incident, State


def truth_record(fault: Fault, state: State, run_start_s: float) -> dict[str, Any]:
    """What JSON says of a fault. Times are event time; `end` is the first moment without the fault.

    Of an injected one it also says the `[[faults]]` with which a scenario gives the same run again.
    """
    start_s, end_s = run_start_s + fault.start_s, run_start_s + fault.over_s
    injected = {"injected": True, "plan": table_of(fault)} if fault.injected else {}
    return {
        "state": state,
        "device": fault.device,
        "site": fault.site,
        "kind": fault.kind,
        "channels": list(fault.channels),
        "severity": fault.severity,
        "ramp_s": fault.ramp_s,
        "recovery_s": fault.recovery_s,
        "start": _iso(start_s),
        "end": _iso(end_s),
        "start_s": start_s,
        "end_s": end_s,
        **injected,
    }


def incident_record(incident: Incident, state: State, run_start_s: float) -> dict[str, Any]:
    """The same of an incident, which is told from a fault by its `domain`; what has no end has null for one."""
    start_s, end_s = run_start_s + incident.start_s, run_start_s + incident.end_s
    ends = math.isfinite(end_s)
    return {
        "state": state,
        "domain": "network",
        "device": incident.device,
        "site": incident.site,
        "kind": incident.kind,
        "channels": [],
        "severity": 1.0,
        "start": _iso(start_s),
        "end": _iso(end_s) if ends else None,
        "start_s": start_s,
        "end_s": end_s if ends else None,
        **incident.detail,
    }


def run_record(devices: Sequence[Mapping[str, Any]], start_s: float, until_s: float, *, ended: bool) -> dict[str, Any]:
    """What JSON says of a run: its devices, when it began, and how far it is. See `announce`."""
    return {
        "state": "run",
        "start": _iso(start_s),
        "until": _iso(until_s),
        "start_s": start_s,
        "until_s": until_s,
        "ended": ended,
        "devices": list(devices),
    }


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")
