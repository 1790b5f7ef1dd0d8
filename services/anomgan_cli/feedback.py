"""`anomgan feedback`, `anomgan mute` and `anomgan unmute`: tell a running detector service something."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from anomgan_cli.terminal import say

CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), default=Path("detector.toml"), show_default=True, help="The service's."
)
CLIENT = click.option("--client", default="", help="Who says so, for the record; default: the user's name.")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """`90s`, `30m`, `2h` or `7d` in seconds."""
    try:
        time_s = float(value[:-1]) * UNITS[value[-1:]]
    except (ValueError, KeyError):
        raise click.BadParameter(f"{value!r} is not a time such as 90s, 30m, 2h or 7d") from None
    if not 0.0 < time_s < math.inf:
        raise click.BadParameter(f"{value!r} is not a time ahead")
    return time_s


SAYS = ("false-alarm", "real", "maintenance", "undo")


@click.command()
@click.argument("event")
@click.argument("says", type=click.Choice(SAYS))
@CONFIG
@CLIENT
def feedback(event: str, says: str, config: Path, client: str) -> None:
    """Say what EVENT was: a false alarm, a real one, or maintenance; or take that back.

    EVENT is an id as the page, the log and MQTT tell it. The detector service that runs with the configuration is asked
    over its broker, and says what follows.
    """
    fields = {"event": event} if says == "undo" else {"event": event, "says": says}
    done = tell(config, "undo" if says == "undo" else "feedback", fields, client)
    say(f"{done['event']}: " + (f"{says} noted" if says != "undo" else f"no longer {done['was']}"))
    for one, learned in done["learned"].items():
        say(f"  {one}: {in_words(learned)}")


def in_words(learned: str | Mapping[str, Any]) -> str:
    """What follows for a device from what was said of its event."""
    if isinstance(learned, str):
        return f"learned {learned}" if learned.startswith("nothing") else learned
    taken_back = learned["drift_taken_back"]
    return (
        f"of {learned['alarming_before']} such windows {learned['alarming_now']} would alarm now"
        + f", threshold {learned['threshold']:.2f}"
        + (f", which had drifted {taken_back:.2f} higher" if taken_back else "")
    )


@click.command()
@click.argument("device")
@click.option("--for", "for_s", default="1h", show_default=True, callback=seconds, help="How long: 90s, 30m, 2h, 7d.")
@click.option("--channel", "channels", multiple=True, help="Only events that such channels lead; repeatable.")
@click.option("--site", default="*", show_default=True, help="Pattern of the site.")
@CONFIG
@CLIENT
def mute(device: str, for_s: float, channels: tuple[str, ...], site: str, config: Path, client: str) -> None:
    """Tell nobody of events of DEVICE, a shell pattern, for a time; they are stored all the same."""
    fields = {"device": device, "site": site, "channels": channels, "for_s": for_s}
    done = tell(config, "mute", fields, client)
    say(f"{named(device, site, channels)}: muted until {done['until']}; {open_now(done['events'])}")


@click.command()
@click.argument("device")
@click.option("--channel", "channels", multiple=True, help="Only the mute of these channels.")
@click.option("--site", default="*", show_default=True, help="Pattern of the site, as it was given.")
@CONFIG
@CLIENT
def unmute(device: str, channels: tuple[str, ...], site: str, config: Path, client: str) -> None:
    """End the mute of DEVICE, the pattern that was given; what is open then is told."""
    done = tell(config, "unmute", {"device": device, "site": site, "channels": channels}, client)
    say(f"{named(device, site, channels)}: muted no longer; {open_now(done['events'])}")


def named(device: str, site: str, channels: Sequence[str]) -> str:
    """What a mute is about."""
    return (device if site == "*" else f"{site}/{device}") + (f" ({', '.join(channels)})" if channels else "")


def open_now(events: Sequence[str]) -> str:
    """Which open events that concerns."""
    return f"open now: {', '.join(events)}" if events else "no event is open"


def tell(config: Path, command: str, fields: Mapping[str, Any], client: str) -> Mapping[str, Any]:
    """Send a request; what follows from it."""
    from anomgan.adapters.files import read_config
    from anomgan.adapters.mqtt_request import ask
    from anomgan.config import ServiceConfig

    settings = read_config(config, ServiceConfig)
    return ask(settings.asked_broker(), settings.control, command, fields, client)
