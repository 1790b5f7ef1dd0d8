"""Messages that are no telemetry by their topic: what systems say about themselves, commands, and our own words."""

SPARKPLUG = "spBv1.0"
SPARKPLUG_TELEMETRY = {"NBIRTH", "NDATA", "DBIRTH", "DDATA"}
TASMOTA_TELEMETRY = {"SENSOR", "STATUS8", "STATUS10"}
STATUS_WORDS = {b"online", b"offline", b"connected", b"disconnected", b"alive", b"dead", b"lost", b"ready"}


def set_aside(topic: str, payload: bytes) -> str:
    """Why a message is no telemetry, in a few words that are counted by; "" where it may be some."""
    levels = topic.split("/")
    first, last = levels[0], levels[-1]
    if topic.startswith("$"):
        return "the broker's own topics ($SYS)"
    if first == "anomgan":
        return "anomgan's own topics"
    if first == "homeassistant" and last == "config":
        return "Home Assistant discovery"
    if last in ("LWT", "availability") or payload.strip().lower() in STATUS_WORDS:
        return "whether a device is there (availability, LWT)"
    if not payload:
        return "empty messages, which delete retained ones"
    if first == SPARKPLUG:
        known = len(levels) >= 4 and levels[2] in SPARKPLUG_TELEMETRY
        return "" if known else "Sparkplug B deaths, commands and host states"
    if bridge_base(topic):
        return "Zigbee2MQTT's bridge"
    if first in ("tele", "stat", "cmnd") and len(levels) > 2 and last not in TASMOTA_TELEMETRY:
        return "Tasmota state, results and commands"
    if last in ("set", "get") and len(levels) > 1:
        return "commands (.../set, .../get)"
    return _beside_an_uplink(levels)


def bridge_base(topic: str) -> str:
    """The base topic of the Zigbee2MQTT whose bridge speaks on a topic, "" where none does."""
    base, found, what = topic.partition("/bridge/")
    known = what.split("/")[0] in {"state", "info", "devices", "groups", "event", "logging", "request", "response"}
    return base if found and known and base else ""


def _beside_an_uplink(levels: list[str]) -> str:
    """What ChirpStack and The Things Stack say besides uplinks."""
    if "application" in levels[:-3]:
        at = levels.index("application")
        if levels[at + 2 : at + 3] == ["device"] and levels[at + 4 :] != ["event", "up"]:
            return "ChirpStack events other than uplinks"
    if levels[0] == "v3" and levels[2:3] == ["devices"] and levels[4:] != ["up"]:
        return "The Things Stack events other than uplinks"
    return ""
