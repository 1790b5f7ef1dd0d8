"""What a viewer may do from the page: say what an event was. Everything else of the page only reads.

The gates of `security` have let the request through, so it comes from who has the token or sits at this machine. An
action must also come from the page itself and not from another one that the viewer's browser has open (cross-site
request forgery): it is JSON with a header that no other site can send without asking first (`X-Anomgan`), and its
Origin, where the browser tells it, is this host.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomgan.errors import Refused

Ask = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""(command, its fields) -> the data of the detector service's answer; raises Refused or Unreachable"""
Says = Literal["false-alarm", "real", "maintenance", "undo"]
MARK = ("X-Anomgan", "action")
MOST_BYTES = 4096


class FeedbackBody(BaseModel):
    """The body of `POST /api/feedback`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    event: str = Field(min_length=1, max_length=300)
    says: Says


def action_routes(ask: Ask | None, answer: Callable[[Any], Response]) -> list[Route]:
    """`GET /api/actions`, what there is to do, and `POST /api/feedback`; without `ask` there is nothing."""

    async def actions(_: Request) -> Response:
        return answer({"feedback": ask is not None})

    async def feedback(request: Request) -> Response:
        require_own_page(request)
        if ask is None:
            raise HTTPException(409, "control is off: the configuration has no [control]")
        try:
            body = FeedbackBody.model_validate(orjson.loads(await read_little(request)))
        except (orjson.JSONDecodeError, ValidationError):
            raise HTTPException(400, 'expected {"event": "...", "says": "false-alarm|real|maintenance|undo"}') from None
        fields = {"event": body.event} if body.says == "undo" else {"event": body.event, "says": body.says}
        try:
            return answer(await run_in_threadpool(ask, "undo" if body.says == "undo" else "feedback", fields))
        except Refused as error:  # by the detector service, which says why; another server error is a 503
            raise HTTPException(409, str(error)) from None

    handle: Callable[[Request], Awaitable[Response]] = feedback
    return [Route("/api/actions", actions), Route("/api/feedback", handle, methods=["POST"])]


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
