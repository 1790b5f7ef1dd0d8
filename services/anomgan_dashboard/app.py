"""The ASGI application: pages, assets, the JSON API and the actions, behind the gates of `security`."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomgan.errors import ServerError, Unreachable
from anomgan_dashboard.actions import Ask, action_routes
from anomgan_dashboard.answers import QUESTIONS, BadQuery, NotFound
from anomgan_dashboard.assets import INDEX, Asset, load_assets, shown
from anomgan_dashboard.event_answers import EVENT_QUESTIONS
from anomgan_dashboard.models import MODEL_QUESTIONS
from anomgan_dashboard.security import login_routes, middleware
from anomgan_dashboard.simulator import simulator_routes

PAGES = ("/", "/device", "/events", "/event", "/models")
"""Addresses that a browser may ask for; the page's own script shows the right view."""


def create_app(
    sqlite_path: str | Path,
    *,
    token: str = "",
    clock: Callable[[], float] = time.time,
    ask: Ask | None = None,
    simulator: Ask | None = None,
) -> Starlette:
    """The dashboard of one store file, which need not exist yet.

    With a `token` every page and answer asks for it; without one, only requests that name a loopback host are
    answered, so that no foreign page can read the plant through the viewer's browser (DNS rebinding). `ask` reaches the
    detector service, for the buttons at an event; without it there are none. `simulator` reaches a running simulator,
    for a page of its own; without it there is none.
    """
    store = Path(sqlite_path)
    assets = load_assets()
    asked = {**QUESTIONS, **EVENT_QUESTIONS, **MODEL_QUESTIONS}
    pages = PAGES if simulator is None else (*PAGES, "/simulator")
    if simulator is not None:
        assets[INDEX] = shown(assets[INDEX], "simulator")

    async def page(request: Request) -> Response:
        return assets[INDEX].response(request)

    async def asset(request: Request) -> Response:
        found: Asset | None = assets.get(request.path_params["path"])
        if found is None:
            raise HTTPException(404, "no such file")
        return found.response(request)

    async def health(_: Request) -> Response:
        return json_response({"status": "ok"})

    def question(name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            body = await run_in_threadpool(asked[name], dict(request.query_params), store, clock())
            return json_response(body)

        return handle

    return Starlette(
        routes=[
            *(Route(path, page) for path in pages),
            *(Route(f"/api/{name}", question(name)) for name in asked),
            *action_routes(ask, json_response),
            *simulator_routes(simulator, store, json_response),
            Route("/static/{path:path}", asset),
            Route("/healthz", health),
            *login_routes(token, assets["login.html"]),
        ],
        middleware=middleware(token),
        exception_handlers={
            BadQuery: told_error(400),
            NotFound: told_error(404),
            Unreachable: told_error(503),
            ServerError: told_error(503),
            HTTPException: http_error,
            Exception: internal_error,
        },
    )


def json_response(body: Any, status: int = 200) -> Response:
    """JSON in which NaN is null; never kept by a cache."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, {"Cache-Control": "no-store"}, "application/json")


def told_error(status: int) -> Callable[[Request, Exception], Response]:
    """A handler that tells the client what the error says."""

    def handle(_: Request, error: Exception) -> Response:
        return json_response({"error": str(error)}, status)

    return handle


def http_error(_: Request, error: Exception) -> Response:
    """Unknown addresses and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 Starlette's table of handlers says so
    return json_response({"error": error.detail}, error.status_code)


def internal_error(_: Request, __: Exception) -> Response:
    """A bug: the log has the traceback, the client does not."""
    return json_response({"error": "internal error; the log of the dashboard says more"}, 500)
