"""The gates before every answer: host names, response headers, and the token where one is set."""

import hashlib
import hmac
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anomgan_dashboard.assets import Asset

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")
COOKIE = "anomgan_session"
SESSION_S = 30 * 86_400
MAX_LOGIN_BYTES = 4096
OPEN_PATHS = ("/static/", "/login", "/healthz")
"""What needs no token: it tells nothing of the plant."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def middleware(token: str) -> list[Middleware]:
    """Outermost first: headers on everything, then the host's name or the token.

    A token is as good against DNS rebinding: the browser keeps the session for the host that it logged in to.
    """
    gate = (
        Middleware(TokenGate, token=token)
        if token
        else Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK_NAMES), www_redirect=False)
    )
    return [Middleware(SecurityHeaders), gate]


class SecurityHeaders:
    """ASGI middleware that adds HEADERS to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers added."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class TokenGate:
    """ASGI middleware that lets nobody through who shows neither the token nor the session that it gave."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or show the way to the login."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS) or self.admits(HTTPConnection(scope)):
            await self.app(scope, receive, send)
            return
        response: Response
        if scope["path"].startswith("/api/"):
            response = JSONResponse({"error": "log in first"}, 401, {"WWW-Authenticate": "Bearer"})
        else:
            asked = scope["path"] + ("?" + scope["query_string"].decode("ascii", "replace")).rstrip("?")
            response = RedirectResponse(f"/login?next={quote(asked, safe='')}", 303)
        await response(scope, receive, send)

    def admits(self, connection: HTTPConnection) -> bool:
        """Whether the request carries the token or a session."""
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same(shown.strip(), self.token):
            return True
        return same(connection.cookies.get(COOKIE, ""), session_of(self.token))


def session_of(token: str) -> str:
    """The session cookie's value: whoever reads it does not learn the token."""
    return hmac.new(token.encode(), b"anomgan dashboard session", hashlib.sha256).hexdigest()


def same(shown: str, wanted: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(shown.encode(), wanted.encode())


def login_routes(token: str, form: Asset) -> list[Route]:
    """`/login`: the form, and the answer to it. Without a token there is nothing to log in to."""
    if not token:
        return []

    async def show(request: Request) -> Response:
        return form.response(request)

    async def log_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LOGIN_BYTES:
                return JSONResponse({"error": "too long"}, 413)
        fields = parse_qs(body.decode("utf-8", "replace"))
        wanted = request.query_params.get("next", "/")
        if not same(fields.get("token", [""])[0], token):
            return RedirectResponse(f"/login?next={quote(wanted, safe='')}&failed=1", 303)
        response = RedirectResponse(local_path(wanted), 303)
        secure = Headers(scope=request.scope).get("x-forwarded-proto") == "https" or request.url.scheme == "https"
        response.set_cookie(COOKIE, session_of(token), SESSION_S, httponly=True, samesite="lax", secure=secure)
        return response

    return [Route("/login", show, methods=["GET"]), Route("/login", log_in, methods=["POST"])]


def local_path(wanted: str) -> str:
    """A path on this host; anything that a browser might read as another host becomes the front page."""
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"
