"""From a checked scenario or a recorded series to a running simulator: the one place that knows all the parts."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import orjson

from anomgan.adapters.files import write_bytes
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.adapters.signals import stopping
from anomgan.config import BrokerConfig
from anomgan.simulate import Network, Tick
from anomgan.simulate.scenario import OutputConfig
from anomgan_simulator.announce import Announcement, DeviceTables
from anomgan_simulator.connections import Connections, clients
from anomgan_simulator.control import Control, Desk
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import Totals, await_all, encoder_of, play, truth_topic
from anomgan_simulator.truth_file import truth_file


@dataclass(frozen=True, slots=True)
class Job:
    """What to publish, where and how fast. run_start_s: the event time that faults count from. With a network, rows go
    from row 0 on.

    devices, period_s: what the run announces of itself; without devices it does not. control: who may change the
    plan while it runs.
    """

    rows: Iterable[Tick]
    broker: BrokerConfig
    output: OutputConfig
    speed: float
    run_start_s: float
    network: Network | None = None
    devices: DeviceTables = ()
    period_s: float = 0.0
    control: Control | None = None


def run(
    job: Job,
    *,
    truth: Path | None = None,
    summary: Path | None = None,
    report: Callable[[Totals, Tick], None] | None = None,
) -> Totals:
    """Publish the rows until they end or SIGINT or SIGTERM comes; what is under way is finished first.

    truth: see `truth_file`. summary: file for the totals, one JSON object, written at the end.
    Raises what is wrong with names, topics, files or the broker before anything is published.
    """
    with stopping() as stop, ExitStack() as stack:
        first, rows = peek(job.rows)
        if first is not None:
            check(first, job.output)
        add_truth = stack.enter_context(truth_file(truth, job.devices)) if truth is not None else None
        network = job.network
        wishes, absent = clients(job.broker.client_id, network)
        publisher = stack.enter_context(closing(MqttFleet(job.broker, wishes, absent=absent, stopped=stop.is_set)))
        devices = None if network is None or network.shared else Connections(publisher, network)
        begun_row = 0 if network is None else network.first_row
        told = Announcement(job.devices, job.period_s, publisher, job.output, time.monotonic, add_truth, begun_row)
        if job.devices:
            rows = stack.enter_context(closing(told)).over(rows)
        wait = publisher.wait
        if job.control is not None:
            wait = stack.enter_context(closing(Desk(job.control, job.broker, publisher))).wait
        pace = Pace(job.speed, time.monotonic, lambda time_s: wait(time_s, stop.is_set))
        totals = Totals(stopped=True)
        if not stop.is_set():  # it may have been asked to stop while it connected
            totals = play(
                rows, publisher, job.output, pace, job.run_start_s, time.monotonic, add_truth, report, network, devices
            )
            told.end()  # which it does not where it has had no rows
            await_all(publisher)
        totals.lost = publisher.lost
    if summary is not None:
        write_bytes(summary, orjson.dumps(asdict(totals), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return totals


def check(tick: Tick, output: OutputConfig) -> None:
    """Make the messages of one row, its ground truth's topics too; raises what is wrong with names and topics."""
    encoder_of(output).encode(tick.readings)
    for reading in tick.readings:
        truth_topic(reading.site, reading.device, output)


def peek(rows: Iterable[Tick]) -> tuple[Tick | None, Iterator[Tick]]:
    """The first row, and all of them still to come."""
    ahead = iter(rows)
    first = next(ahead, None)
    return first, ahead if first is None else chain([first], ahead)
