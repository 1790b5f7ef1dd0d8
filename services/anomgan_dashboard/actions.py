"""What a viewer may do from the page: say what an event was, and mute. Everything else of the page only reads.

The gates of `security` have let the request through, so it comes from who has the token or sits at this machine. An
action must also come from the page itself and not from another one that the viewer's browser has open (cross-site
request forgery): it is JSON with a header that no other site can send without asking first (`X-Anomgan`), and its
Origin, where the browser tells it, is this host.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomgan.alarms.mutes import literal
from anomgan.errors import Refused

Ask = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""(command, its fields) -> the data of a service's answer; raises Refused or Unreachable"""
Body = TypeVar("Body", bound=BaseModel)
Says = Literal["false-alarm", "real", "maintenance", "undo"]
MARK = ("X-Anomgan", "action")
MOST_BYTES = 4096


class MuteBody(BaseModel):
    """The body of `POST /api/mute`: one device, or these channels of it, for some time; 0 s ends just that mute."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    site: str = Field(max_length=300)
    device: str = Field(min_length=1, max_length=300)
    channels: list[str] = Field(max_length=100)
    for_s: float = Field(ge=0, le=366 * 86_400.0)


class FeedbackBody(BaseModel):
    """The body of `POST /api/feedback`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    event: str = Field(min_length=1, max_length=300)
    says: Says


def action_routes(ask: Ask | None, answer: Callable[[Any], Response]) -> list[Route]:
    """`GET /api/actions`, what there is to do, `POST /api/feedback` and `/api/mute`; without `ask` there is nothing."""

    async def actions(_: Request) -> Response:
        return answer({"feedback": ask is not None, "mute": ask is not None})

    async def tell(command: str, fields: Mapping[str, Any]) -> Response:
        if ask is None:
            raise HTTPException(409, "control is off: the configuration has no [control]")
        return answer(await hand_on(ask, command, fields))

    async def feedback(request: Request) -> Response:
        body = await read_body(request, FeedbackBody, '{"event": "...", "says": "false-alarm|real|maintenance|undo"}')
        if body.says == "undo":
            return await tell("undo", {"event": body.event})
        return await tell("feedback", {"event": body.event, "says": body.says})

    async def mute(request: Request) -> Response:
        body = await read_body(request, MuteBody, '{"site": "", "device": "...", "channels": [], "for_s": 3600.0}')
        named = {"site": literal(body.site), "device": literal(body.device), "channels": body.channels}
        return await tell("mute", named | {"for_s": body.for_s})

    handles: dict[str, Callable[[Request], Awaitable[Response]]] = {"feedback": feedback, "mute": mute}
    acts = [Route(f"/api/{name}", handle, methods=["POST"]) for name, handle in handles.items()]
    return [Route("/api/actions", actions), *acts]


async def hand_on(ask: Ask, command: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the service that is asked; 409 where it refuses, with why. Another server error is a 503."""
    try:
        return await run_in_threadpool(ask, command, fields)
    except Refused as error:
        raise HTTPException(409, str(error)) from None


async def read_body(request: Request, model: type[Body], expected: str) -> Body:
    """What the page sent; 403 for a request that another page could have caused, 400 for another body."""
    require_own_page(request)
    try:
        return model.model_validate(orjson.loads(await read_little(request)))
    except (orjson.JSONDecodeError, ValidationError):
        raise HTTPException(400, f"expected {expected}") from None


def require_own_page(request: Request) -> None:
    """403 for a request that another site's page could have caused."""
    origin = request.headers.get("origin")
    if request.headers.get(MARK[0]) != MARK[1] or request.headers.get("content-type") != "application/json":
        raise HTTPException(403, "an action comes from the page itself")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "an action comes from the page itself")


async def read_little(request: Request) -> bytes:
    """The body, 413 where it is long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "too long")
    return body
