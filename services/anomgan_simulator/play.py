"""The loop: a row at its time -> wire -> broker, with the ground truth beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from anomgan.adapters.ports import Publisher
from anomgan.errors import Unreachable
from anomgan.records import Source
from anomgan.simulate import Fault, Network, Tick
from anomgan.simulate.network import Counts, Delivery, State, Switch, Told
from anomgan.simulate.scenario import OutputConfig
from anomgan.wire import Encoder, PayloadFormat, parse_template
from anomgan_simulator.pace import Pace
from anomgan_simulator.truth import incident_record, truth_record

REPORT_S = 5.0
FLUSH_S = 30.0


@dataclass(slots=True)
class Totals:
    """What a run published: telemetry and, apart from it, ground truth; all acknowledged but what is lost.

    faults, incidents = those that began; lost = with their connection, of QoS 0 or of a device that left; late_s = how
    far behind its time the latest was; stopped = before its end; network = what became of messages between devices and
    broker, None where nothing comes between.
    """

    rows: int = 0
    readings: int = 0
    messages_published: int = 0
    truth_published: int = 0
    faults: int = 0
    incidents: int = 0
    lost: int = 0
    seconds: float = 0.0
    late_s: float = 0.0
    stopped: bool = False
    network: Counts | None = None


class Devices(Protocol):
    """The devices' own connections, where they have any."""

    def publish(self, source: Source, delivery: Delivery) -> None:
        """Hand one message over in a device's name."""
        ...

    def switch(self, switch: Switch) -> None:
        """End a device's connection, or make it again."""
        ...


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
    network: Network | None = None,
    devices: Devices | None = None,
) -> Totals:
    """Publish every row when it is due, and wait until the broker has it all; stops early when the pace says so.

    A fault's beginning is told before its first reading, its end after its last. `report` hears every REPORT_S. With a
    `network`, which wants all rows from row 0 on, messages come when and as it says, from `devices` if there are any.
    Raises Unreachable where the broker is gone or keeps back acknowledgements at the end.
    """
    totals = Totals()
    encoder = encoder_of(output)
    begun_s = reported_s = now()

    def tell(record: Mapping[str, Any], topic: str) -> None:
        if add_truth is not None:
            add_truth(record)
        if topic:
            publisher.publish(topic, orjson.dumps(record), qos=output.qos)
            totals.truth_published += 1

    def tell_fault(fault: Fault, state: State) -> None:
        tell(truth_record(fault, state, run_start_s), truth_topic(fault.site, fault.device, output))

    def happen(what: Delivery | Switch | Told) -> None:
        if isinstance(what, Delivery):
            if devices is None:
                publisher.publish(what.topic, what.payload, qos=what.qos, retain=what.retain)
            else:
                devices.publish(what.source, what)
            totals.messages_published += 1
        elif isinstance(what, Switch):
            if devices is not None:
                devices.switch(what)
        else:
            one = what.incident
            totals.incidents += what.state == "begin"
            tell(incident_record(one, what.state, run_start_s), truth_topic(one.site, one.device, output))

    def pass_time(network: Network, until_s: float) -> bool:
        """Let happen what is due before then; False when told to stop."""
        while (due_s := network.next_s()) < until_s:
            if due_s >= network.first_s and not pace.await_turn(run_start_s + due_s):
                return False
            for what in network.due(due_s, also=True):
                happen(what)
        return True

    for tick in rows:
        if network is not None and not pass_time(network, network.row_s(tick.row)):
            totals.stopped = True
            break
        early = network is not None and tick.row < network.first_row
        if not (pace.pass_by() if early else pace.await_turn(tick.time_s)):
            totals.stopped = True
            break
        if network is not None and early:
            network.take(tick.row, tick.readings, encoder)
            continue
        for fault in tick.begun:
            tell_fault(fault, "begin")
            totals.faults += 1
        if network is None:
            for topic, payload in encoder.encode(tick.readings):
                publisher.publish(topic, payload, qos=output.qos)
                totals.messages_published += 1
            totals.readings += len(tick.readings)
        else:
            totals.readings += network.take(tick.row, tick.readings, encoder)
            for what in network.due(network.row_s(tick.row), also=True):
                happen(what)
        for fault in tick.ended:
            tell_fault(fault, "end")
        totals.rows += 1
        totals.late_s, totals.seconds = pace.late_s, now() - begun_s
        if report is not None and now() - reported_s >= REPORT_S:
            reported_s = now()
            report(totals, tick)
    if network is not None:
        totals.stopped = totals.stopped or not pass_time(network, network.stop_s)
        totals.network = network.finish()
    await_all(publisher)
    totals.late_s, totals.seconds = pace.late_s, now() - begun_s
    return totals


def await_all(publisher: Publisher) -> None:
    """Raises Unreachable where not all is acknowledged in time."""
    if not publisher.flush(FLUSH_S):
        raise Unreachable(f"the broker has not acknowledged everything within {FLUSH_S:g} s")
