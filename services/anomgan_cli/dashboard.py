"""`anomgan dashboard CONFIG`: the embedded page over the SQLite store that a configuration names."""

import contextlib
import os
from functools import partial
from pathlib import Path

import click

from anomgan_cli.terminal import say


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--host", default=None, help="Address to listen on, instead of [dashboard] host.")
@click.option(
    "--port", default=None, type=click.IntRange(0, 65535), help="Port, instead of [dashboard] port; 0 = free."
)
def dashboard(config: Path, host: str | None, port: int | None) -> None:
    """Show fleet, devices and events of CONFIG's store in a browser.

    The page reads [store.sqlite] and listens where [dashboard] says, by default on http://127.0.0.1:8050. It may
    start before the detector does. Where CONFIG has [control], an event has buttons to say what it was. On an address
    that other machines can reach it wants a secret in the environment variable ANOMGAN_DASHBOARD_TOKEN, which viewers
    are asked for.
    """
    from anomgan.adapters.files import read_config
    from anomgan.adapters.mqtt_request import ask, control_secret
    from anomgan.config import ServiceConfig
    from anomgan.errors import ConfigError
    from anomgan_cli.simulator_line import simulator_line
    from anomgan_dashboard.app import create_app
    from anomgan_dashboard.serve import TOKEN_VARIABLE, listen, require_token, serve, url_of

    settings = read_config(config, ServiceConfig)
    if settings.store.sqlite is None:
        raise ConfigError(
            f"{config}: store.sqlite: the dashboard reads the SQLite store; add [store.sqlite] with a path"
        )
    token = os.environ.get(TOKEN_VARIABLE, "")
    address = settings.dashboard.host if host is None else host
    require_token(address, token)
    asking = None
    if settings.control.enabled:
        control_secret(settings.control)
        asking = partial(ask, settings.asked_broker(), settings.control, client="dashboard")
    line = simulator_line(settings.dashboard.simulator)
    app = create_app(settings.store.sqlite.path, token=token, ask=asking, simulator=None if line is None else line.ask)
    listening = listen(address, settings.dashboard.port if port is None else port)
    say(f"dashboard of {settings.store.sqlite.path} on {url_of(listening)}; Ctrl-C ends it")
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended cleanly by then
        if line is not None:
            stack.callback(line.close)
        serve(app, listening)
