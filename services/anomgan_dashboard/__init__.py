"""The embedded web page: fleet, devices and events, read from the SQLite store, alive without a reload.

`create_app` makes the ASGI application; `serve` runs it on a socket that `listen` has opened.
"""

from anomgan_dashboard.app import create_app
from anomgan_dashboard.serve import listen, serve

__all__ = ["create_app", "listen", "serve"]
