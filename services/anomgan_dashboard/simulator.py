"""The running simulator on the page: what is truly wrong now beside what the detector found, and injecting more.

Truth and finding meet here and nowhere else: the detector never hears of the simulator.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomgan.adapters.sqlite_read import SqliteReader, open_reader
from anomgan.errors import Unreachable
from anomgan.matching import GRACE_S, Interval, issue_on, match_events
from anomgan.wire.simulator_control import COMMANDS
from anomgan_dashboard.actions import Ask, hand_on, read_little, require_own_page

MOST_EVENTS = 50
Json = dict[str, Any]


def simulator_routes(ask: Ask | None, store: Path, answer: Callable[[Any], Response]) -> list[Route]:
    """`/api/simulator`, `/api/simulator/plant`, and POST to `.../inject` and `.../stop`; none without a simulator."""
    if ask is None:
        return []

    async def plant(_: Request) -> Response:
        return answer(await hand_on(ask, "plant", {}))

    async def status(_: Request) -> Response:
        data = await hand_on(ask, "status", {})
        return answer(data | {"faults": await run_in_threadpool(with_findings, data["faults"], store)})

    def action(command: str) -> Callable[[Request], Awaitable[Response]]:
        async def act(request: Request) -> Response:
            require_own_page(request)
            try:
                asked = COMMANDS[command].model_validate(orjson.loads(await read_little(request)))
            except orjson.JSONDecodeError:
                raise HTTPException(400, "expected JSON") from None
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                raise HTTPException(400, f"{where}: {first['msg']}"[:300]) from None
            return answer(await hand_on(ask, command, asked.model_dump(mode="json", exclude_unset=True)))

        return act

    return [
        Route("/api/simulator", status),
        Route("/api/simulator/plant", plant),
        Route("/api/simulator/inject", action("inject"), methods=["POST"]),
        Route("/api/simulator/stop", action("stop"), methods=["POST"]),
    ]


def with_findings(faults: Sequence[Json], store: Path) -> list[Json]:
    """Each fault with the first event on it, by the rules of `matching`, and what data quality says meanwhile."""
    try:
        with open_reader(store) as reader:
            return [fault | finding(fault, faults, reader) for fault in faults]
    except Unreachable:
        return [fault | {"event": None, "issue": None} for fault in faults]


def finding(fault: Json, faults: Sequence[Json], reader: SqliteReader) -> Json:
    """What the store says of one fault: `event` and `issue`, None where there is none.

    What begins after its end, while the device has another of the faults, is of that one.
    """
    source, start_s = (fault["site"], fault["device"]), fault["start_s"]
    truth = Interval(start_s, fault["end_s"], fault["device"], fault["site"])
    others = [one for one in faults if (one["site"], one["device"]) == source and one["start_s"] >= fault["end_s"]]
    events = [
        one
        for one in reader.events(source=source, start_s=start_s, end_s=fault["end_s"] + GRACE_S, limit=MOST_EVENTS)
        if one.start_s < fault["end_s"] or not any(other["start_s"] <= one.start_s for other in others)
    ]
    told = [Interval(one.start_s, max(one.end_s, start_s), one.device, one.site) for one in events]
    matching = match_events([truth], told, GRACE_S)
    event = events[matching.pairs[0][1]] if matching.pairs else None
    issues = reader.issues(source, only_open=False, start_s=start_s, end_s=fault["end_s"] + GRACE_S)
    issue = issue_on(truth, fault["channels"], issues, GRACE_S)
    return {
        "event": None
        if event is None
        else {
            "id": event.id,
            "start_s": event.start_s,
            "delay_s": matching.delays_s[0],
            "severity": event.severity,
            "state": event.state,
            "reason": event.reason,
            "before": event.start_s < start_s,
        },
        "issue": None
        if issue is None
        else {"kind": issue.kind, "channel": issue.channel, "start_s": issue.start_s, "reason": issue.reason},
    }
