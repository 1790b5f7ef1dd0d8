"""`anomgan annotations TRUTH`: the ground truth as regions in Grafana, by its API, through InfluxDB, or as a file."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.broker_access import access_options, parse_broker

if TYPE_CHECKING:
    from threading import Event

    from anomgan.judging import TrueFault

AGAIN_S = 2.0
Put = Callable[["TrueFault"], str]


@click.command()
@click.argument("truth", required=False, type=click.Path(path_type=Path))
@click.option("--follow", "broker", callback=parse_broker, metavar="HOST[:PORT]", help="Follow the truth on a broker.")
@click.option("--topic", default="anomgan/truth/#", show_default=True, help="Where it is told there.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the bodies of Grafana's API as a JSON list.")
@click.option("--grafana", metavar="URL", help="Put them into this Grafana.")
@click.option("--token-env", default="GRAFANA_TOKEN", show_default=True, help="Environment variable with its token.")
@click.option("--dashboard", default="", metavar="UID", help="Only on this dashboard; left out: wherever tags ask.")
@click.option("--panel", type=int, help="Only on this panel of it.")
@click.option(
    "--influx",
    type=click.Path(path_type=Path),
    metavar="CONFIG",
    help="Write the measurement `truth` into the InfluxDB of a detector's configuration.",
)
@access_options
def annotations(
    truth: Path | None,
    broker: dict[str, Any],
    topic: str,
    out: Path | None,
    grafana: str | None,
    token_env: str,
    dashboard: str,
    panel: int | None,
    influx: Path | None,
    **access: Any,
) -> None:
    """Show true faults in Grafana: TRUTH is what `anomgan simulate --truth` wrote, or --follow a broker live.

    \b
    anomgan annotations truth.jsonl --out annotations.json
    GRAFANA_TOKEN=... anomgan annotations truth.jsonl --grafana http://localhost:3000 --dashboard pumps
    anomgan annotations --follow localhost --influx detector.toml

    Through the API, each becomes a region with the tags anomgan-truth, fault:KIND, device:NAME and site:NAME. Through
    InfluxDB, a dashboard asks for them: SELECT title, text, tags, timeEnd FROM truth WHERE $timeFilter, with those
    columns as its field mappings. Telling them again adds nothing twice. A fault that goes on has its planned end, and
    the true one as soon as that is told.
    """
    if (truth is None) == (not broker):
        raise click.UsageError("give TRUTH or --follow HOST")
    if not (out or grafana or influx) or (out and broker):
        raise click.UsageError("give --grafana or --influx" + ("" if broker else " or --out"))
    if panel is not None and not dashboard:
        raise click.UsageError("--panel goes with --dashboard")
    if not broker and any(access.values()):
        raise click.UsageError("--username, --tls and the like go with --follow")
    counters: Counter[str] = Counter()
    with _targets(grafana, token_env, dashboard, panel, influx) as put:
        faults = _follow(broker | access, topic, put, counters) if broker else _read(truth, put, counters)
    if out is not None:
        from anomgan.adapters.files import write_bytes
        from anomgan.annotations import annotation

        write_bytes(out, _json([annotation(fault, dashboard, panel) for fault in faults]))
        click.echo(f"wrote {out}")
    click.echo(f"{len(faults)} faults" + "".join(f", {count} {what}" for what, count in sorted(counters.items())))


@contextmanager
def _targets(
    grafana: str | None, token_env: str, dashboard: str, panel: int | None, influx: Path | None
) -> Iterator[list[Put]]:
    """What to do with each fault; each says what became of it."""
    from contextlib import ExitStack

    from anomgan.annotations import annotation, annotation_line

    put: list[Put] = []
    with ExitStack() as stack:
        if grafana:
            import os

            from anomgan.adapters.grafana import Grafana

            server = stack.enter_context(closing(Grafana(grafana, os.environ.get(token_env, ""))))
            put.append(lambda fault: f"{server.put(annotation(fault, dashboard, panel))} in Grafana")
        if influx is not None:
            from anomgan.adapters.files import read_config
            from anomgan.adapters.influx import INFLUX, InfluxCarrier
            from anomgan.adapters.ports import Letter
            from anomgan.config import ServiceConfig
            from anomgan.errors import ConfigError, Refused

            store = read_config(influx, ServiceConfig).store.influx
            if store is None:
                raise ConfigError(f"{influx}: there is no [store.influx]")
            carrier = stack.enter_context(closing(InfluxCarrier(store)))

            def write(fault: "TrueFault") -> str:
                refused = carrier.deliver([Letter(INFLUX, annotation_line(fault).encode())])
                if refused:
                    raise Refused(f"InfluxDB {store.url}: {refused[0].reason}")
                return "written to InfluxDB"

            put.append(write)
        yield put


def _read(truth: Path | None, put: list[Put], counters: "Counter[str]") -> "list[TrueFault]":
    """The faults of a file, each in its newest record, handed to the targets."""
    from anomgan.judging import Judge
    from anomgan_judge.hearing import Hearing, read_lines
    from anomgan_judge.words import unread

    judge = Judge()
    hearing = Hearing(judge, {})
    assert truth is not None  # noqa: S101 the command's first check
    read_lines(truth, hearing.truth)
    for line in unread(hearing.counters, hearing.unread):
        click.echo(line, err=True)
    faults = sorted(
        (*judge.faults.values(), *judge.incidents.values()),
        key=lambda fault: (fault.start_s, fault.site, fault.device, fault.kind),
    )
    for fault in faults:
        counters.update(one(fault) for one in put)
    return faults


def _follow(broker: dict[str, Any], topic: str, put: list[Put], counters: "Counter[str]") -> "list[TrueFault]":
    """The faults that a broker tells of until Ctrl-C; each is handed over as soon as it is told."""
    import logging
    import sys

    from anomgan.adapters.mqtt_session import passing_session
    from anomgan.adapters.signals import stopping
    from anomgan.config import BrokerConfig, parse_config
    from anomgan.errors import PayloadError
    from anomgan.judging import Run, decode_truth

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    config = parse_config(BrokerConfig, broker, "anomgan annotations")
    faults: dict[object, TrueFault] = {}
    with stopping() as stop, passing_session(config, [(topic, 1)], "anomgan-annotations") as source:
        click.echo(f"following {topic} on {config.host}:{config.port}", err=True)
        while not stop.is_set():
            for message in (messages := source.receive(1000, 0.5)):
                try:
                    record = decode_truth(message.payload)
                except PayloadError as error:
                    counters["not read"] += 1
                    click.echo(f"not read, {message.topic}: {error}", err=True)
                    continue
                if not isinstance(record, Run):
                    faults[record.key] = record
                    counters.update(said for one in put if (said := _insist(one, record, stop)))
            source.acknowledge(messages)
    return list(faults.values())


def _insist(put: Put, fault: "TrueFault", stop: "Event") -> str:
    """Hand a fault over, and again while nobody answers; "" when told to stop meanwhile. Raises Refused."""
    from anomgan.errors import Refused, ServerError

    told = False
    while not stop.is_set():
        try:
            return put(fault)
        except Refused:
            raise
        except ServerError as error:
            if not told:
                click.echo(f"{error}; it is tried again and again", err=True)
            told = True
            stop.wait(AGAIN_S)
    return ""


def _json(bodies: list[dict[str, Any]]) -> bytes:
    import orjson

    return orjson.dumps(bodies, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
