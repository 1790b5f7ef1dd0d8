"""The page's files, read once: our own, and uPlot's from the package that carries it."""

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

INDEX = "index.html"
ENTRY = "app.js"
ALONE = ("login.js",)
"""scripts of other pages"""
OUTSIDE = {"uplot.js": "uPlot.iife.js", "uplot.css": "uPlot.min.css"}
"""our name -> the file in the package `uplot`"""
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and compressed, with its tag."""

    body: bytes
    compressed: bytes
    etag: str
    media_type: str

    def response(self, request: Request) -> Response:
        """The file, or 304 where the browser has it; browsers ask each time, so an update shows at once."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                self.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=self.media_type
            )
        return Response(self.body, headers=headers, media_type=self.media_type)


def load_assets() -> dict[str, Asset]:
    """Every file of the page by its name."""
    own = {entry.name: entry.read_bytes() for entry in files("anomgan_dashboard").joinpath("static").iterdir()}
    carried = {name: files("uplot").joinpath("static", file).read_bytes() for name, file in OUTSIDE.items()}
    own[INDEX] = with_preloads(own[INDEX], sorted(own))
    return {name: make_asset(name, body) for name, body in (own | carried).items()}


def with_preloads(page: bytes, names: Sequence[str]) -> bytes:
    """The page with all modules of the script asked for at once, not each when another one names it."""
    modules = [name for name in names if name.endswith(".js") and name not in (ENTRY, *ALONE)]
    links = "".join(f'<link rel="modulepreload" href="/static/{name}">\n  ' for name in modules)
    script = f'<script type="module" src="/static/{ENTRY}">'
    return page.replace(script.encode(), (links + script).encode())


def shown(page: Asset, view: str) -> Asset:
    """The page with its link to a view that is not always there."""
    return make_asset(INDEX, page.body.replace(f' data-view="{view}" hidden'.encode(), f' data-view="{view}"'.encode()))


def make_asset(name: str, body: bytes) -> Asset:
    """A file ready to be sent."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return Asset(body, gzip.compress(body, 6, mtime=0), etag, TYPES[name.rsplit(".", 1)[-1]])
