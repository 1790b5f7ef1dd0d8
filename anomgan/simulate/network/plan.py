"""The network of a scenario, checked: every device's link, and all that will happen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.network.incidents import Incident, check_incidents, snapped
from anomgan.simulate.network.tables import IncidentConfig, LinkConfig, NetworkConfig
from anomgan.simulate.randomness import generator, stream_key

NAMED = ("client_id", "status")
PLACEHOLDERS = ("{site}", "{device}")


class Run(NamedTuple):
    """What a network has to know of the run. rows: how many, None = endless. qos: where a link names none. client_id:
    under what name the run itself connects, "" = none of its own."""

    seed: int
    period_s: float
    duration_s: float | None
    rows: int | None
    qos: int
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """links: how each device is connected, in the order of the scenario. incidents: in the order of their start."""

    config: NetworkConfig
    links: Mapping[Source, LinkConfig]
    incidents: tuple[Incident, ...]
    run: Run

    def client_id(self, source: Source) -> str:
        """Under what name a device connects."""
        return _client_id(self.config, source)

    def status_topic(self, source: Source) -> str:
        """Where a device says that it is there, "" for nowhere."""
        return _named(self.config.status, source)

    def lasts(self, incident: Incident) -> bool:
        """Whether it is still so when the run ends."""
        end_s = self.run.duration_s
        return incident.end_s >= (math.inf if end_s is None else snapped(end_s, self.run.period_s))


def plan_network(
    config: NetworkConfig,
    tables: Sequence[IncidentConfig],
    groups: Sequence[tuple[Sequence[Source], LinkConfig | None]],
    run: Run,
    where: str,
) -> NetworkPlan | None:
    """Check it all; None where devices share one perfect connection. ConfigError names `where`, the table and the key.

    groups: devices, and the link of their own where they have one.
    """
    usual = LinkConfig(**{key: getattr(config, key) for key in LinkConfig.model_fields})
    links: dict[Source, LinkConfig] = {}
    for sources, own in groups:
        given = {} if own is None else {key: getattr(own, key) for key in own.model_fields_set}
        link = usual.model_copy(update=given)
        links.update(dict.fromkeys(sources, link))
    shared = config.connection == "shared"
    incidents = check_incidents(tables, list(links), run.period_s, run.duration_s, shared, where)
    incidents += _clocks(links, run.seed, math.inf if run.duration_s is None else run.duration_s)
    if shared and not incidents and all(link == LinkConfig() for link in links.values()):
        return None
    if not shared:
        _check_names(config, list(links), run.client_id, where)
    in_order = tuple(sorted(incidents, key=lambda incident: incident.start_s))
    return NetworkPlan(config, links, in_order, run)


def _clocks(links: Mapping[Source, LinkConfig], seed: int, end_s: float) -> list[Incident]:
    """How the clocks of the fleet differ for the whole run; what a device of no spread has is no incident."""
    found = []
    for (site, device), link in links.items():
        if link.clock_spread_s or link.clock_spread_ppm:
            offset, drift = generator(stream_key(seed, site, device, "clock")).standard_normal(2).tolist()
            offset_s, drift_ppm = round(offset * link.clock_spread_s, 3), round(drift * link.clock_spread_ppm, 3)
            found.append(Incident(site, device, "clock_skew", 0.0, end_s, offset_s=offset_s, drift_ppm=drift_ppm))
    return found


def _check_names(config: NetworkConfig, sources: Sequence[Source], own_id: str, where: str) -> None:
    """No two devices have the same client id or status topic, none the run's own, and both are such as MQTT allows."""
    for key in NAMED:
        template = getattr(config, key)
        place = f"{where}: network.{key}"
        if not template:
            continue
        bare = template
        for placeholder in PLACEHOLDERS:
            bare = bare.replace(placeholder, "")
        if wrong := next((letter for letter in bare if letter in "+#{}" or not letter.isprintable()), ""):
            raise ConfigError(f"{place}: {wrong!r} cannot stand there; placeholders: {' and '.join(PLACEHOLDERS)}")
        if key == "status" and "{site}" in template and not all(site for site, _ in sources):
            raise ConfigError(f"{place}: it has {{site}}, and a device has none")
        seen: dict[str, Source] = {}
        for source in sources:
            name = _client_id(config, source) if key == "client_id" else _named(template, source)
            if key == "client_id" and name == own_id:
                raise ConfigError(f"{place}: {name!r} is that of {source[1]!r} and, as broker.client_id, of the run")
            if name in seen:
                one, other = (f"{device!r} at site {site!r}" for site, device in (seen[name], source))
                raise ConfigError(f"{place}: {name!r} is that of {one} and of {other}")
            seen[name] = source


def _client_id(config: NetworkConfig, source: Source) -> str:
    """A device without a site has none in its name either."""
    return _named(config.client_id, source).removeprefix("-")


def _named(template: str, source: Source) -> str:
    return template.replace("{site}", source[0]).replace("{device}", source[1])
