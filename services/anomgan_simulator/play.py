"""The loop: a row at its time -> wire -> broker, with the ground truth beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from anomgan.adapters.ports import Publisher
from anomgan.errors import Unreachable
from anomgan.simulate import Fault, Tick
from anomgan.simulate.scenario import OutputConfig
from anomgan.wire import Encoder, PayloadFormat, parse_template
from anomgan_simulator.pace import Pace
from anomgan_simulator.truth import State, truth_record

REPORT_S = 5.0
FLUSH_S = 30.0


@dataclass(slots=True)
class Totals:
    """What a run published: telemetry and, apart from it, ground truth. All of it is acknowledged but what QoS 0 lost.

    faults = those that began; late_s = the worst delay of a row behind its time; stopped = before its end.
    """

    rows: int = 0
    readings: int = 0
    messages_published: int = 0
    truth_published: int = 0
    faults: int = 0
    lost: int = 0
    seconds: float = 0.0
    late_s: float = 0.0
    stopped: bool = False


def encoder_of(output: OutputConfig) -> Encoder:
    """What writes a run's rows as messages; ConfigError where topic and dialect do not fit together."""
    template = parse_template(output.topic)
    return Encoder(PayloadFormat(template, output.dialect, output.time_key, output.time_unit, output.device_key))


def truth_topic(site: str, device: str, output: OutputConfig) -> str:
    """Where the ground truth of a device is told, "" for nowhere; ConfigError or PayloadError for a bad topic."""
    return parse_template(output.truth).render(site=site, device=device) if output.truth else ""


def play(
    rows: Iterable[Tick],
    publisher: Publisher,
    output: OutputConfig,
    pace: Pace,
    run_start_s: float,
    now: Callable[[], float],
    add_truth: Callable[[Mapping[str, Any]], None] | None = None,
    report: Callable[[Totals, Tick], None] | None = None,
) -> Totals:
    """Publish every row when it is due, and wait until the broker has it all; stops early when the pace says so.

    A fault's beginning is told before its first reading, its end after its last. `report` hears every REPORT_S.
    Raises Unreachable where the broker is gone or keeps back acknowledgements at the end.
    """
    totals = Totals()
    encoder = encoder_of(output)
    begun_s = reported_s = now()

    def tell(fault: Fault, state: State) -> None:
        record = truth_record(fault, state, run_start_s)
        if add_truth is not None:
            add_truth(record)
        if topic := truth_topic(fault.site, fault.device, output):
            publisher.publish(topic, orjson.dumps(record), qos=output.qos)
            totals.truth_published += 1

    for tick in rows:
        if not pace.await_turn(tick.time_s):
            totals.stopped = True
            break
        for fault in tick.begun:
            tell(fault, "begin")
            totals.faults += 1
        for topic, payload in encoder.encode(tick.readings):
            publisher.publish(topic, payload, qos=output.qos)
            totals.messages_published += 1
        for fault in tick.ended:
            tell(fault, "end")
        totals.rows += 1
        totals.readings += len(tick.readings)
        totals.late_s, totals.seconds = pace.latest_s, now() - begun_s
        if report is not None and now() - reported_s >= REPORT_S:
            reported_s = now()
            report(totals, tick)
    if not publisher.flush(FLUSH_S):
        raise Unreachable(f"the broker has not acknowledged everything within {FLUSH_S:g} s")
    totals.seconds = now() - begun_s
    return totals
