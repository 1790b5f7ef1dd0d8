"""What happens to single devices and when: outages, reboots, wrong clocks, bad links; checked against the fleet.

outage       no connection: the device goes on measuring, keeps what it can, and sends it all at once afterwards
reboot       switched off without warning; when it is back its clock counts from 1970 until it is set
absent       not there: it neither measures nor sends, such as before it joins
clock_skew   its time stamps are off
bad_link     other losses and delays than usual
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.names import unknown
from anomgan.simulate.network.tables import IncidentConfig, IncidentKind

INCIDENTS: tuple[IncidentKind, ...] = get_args(IncidentKind)
OFFLINE = frozenset({"outage", "reboot", "absent"})
OFF = frozenset({"reboot", "absent"})
"""of these, when it does not even measure"""
LINK_KEYS = ("delay_s", "jitter_s", "loss", "duplicate", "reorder")
OWN_KEYS: Mapping[IncidentKind, tuple[str, ...]] = MappingProxyType(
    {
        "outage": ("goodbye",),
        "reboot": ("unset_s",),
        "absent": ("goodbye",),
        "clock_skew": ("offset_s", "drift_ppm"),
        "bad_link": LINK_KEYS,
    }
)
UNSET_S = 60.0


@dataclass(frozen=True, slots=True)
class Incident:
    """What happens to one device at start_s <= t < end_s, seconds after the start of the run; end_s may be infinite.

    goodbye: it takes its leave. unset_s: after the end, how long the clock counts from 1970. offset_s, drift_ppm: how
    far the clock is ahead at the start, and how much too fast it goes. link: (key, value) that replace those of the
    device's link. number: which entry of the file, -1 where the spread of the fleet's clocks says so.
    """

    site: str
    device: str
    kind: IncidentKind
    start_s: float
    end_s: float
    goodbye: bool = False
    unset_s: float = 0.0
    offset_s: float = 0.0
    drift_ppm: float = 0.0
    link: tuple[tuple[str, float], ...] = ()
    number: int = -1

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)

    @property
    def detail(self) -> dict[str, float | bool]:
        """What more there is to say of one of its kind."""
        if self.kind == "bad_link":
            return dict(self.link)
        return {key: getattr(self, key) for key in OWN_KEYS[self.kind]}


def check_incidents(
    tables: Sequence[IncidentConfig],
    sources: Sequence[Source],
    period_s: float,
    duration_s: float | None,
    shared: bool,
    where: str,
) -> list[Incident]:
    """Each table as what happens to each device that it means; ConfigError names `where`, the table and the key.

    duration_s: of the run, None = endless. shared: devices have no connections of their own.
    """
    found = []
    for number, table in enumerate(tables):
        place = f"{where}: incidents.{number}"
        _check_keys(table, shared, place)
        meant = _meant(table, sources, place)
        end_s = math.inf if duration_s is None else duration_s
        if table.start_s >= end_s:
            raise ConfigError(f"{place}.start_s: {table.start_s:g} is not before the end of the run ({end_s:g} s)")
        if table.end_s is not None and table.end_s > end_s:
            raise ConfigError(f"{place}.end_s: {table.end_s:g} is after the end of the run ({end_s:g} s)")
        start_s, end_s = snapped(table.start_s, period_s), snapped(table.end_s or end_s, period_s)
        if end_s <= start_s:
            raise ConfigError(f"{place}.end_s: {end_s:g} is not after start_s {start_s:g}")
        link = tuple((key, getattr(table, key)) for key in LINK_KEYS if getattr(table, key) is not None)
        found += [
            Incident(
                site=site,
                device=device,
                kind=table.kind,
                start_s=start_s,
                end_s=end_s,
                goodbye=bool(table.goodbye),
                unset_s=(table.unset_s or UNSET_S) if table.kind == "reboot" else 0.0,
                offset_s=table.offset_s or 0.0,
                drift_ppm=table.drift_ppm or 0.0,
                link=link,
                number=number,
            )
            for site, device in meant
        ]
    _check_overlaps(found, where)
    return found


def snapped(seconds: float, period_s: float) -> float:
    """The time of the row that is as good as there, or the time itself: products of a period are no round numbers."""
    if math.isinf(seconds):
        return seconds
    row = round(seconds / period_s)
    return row * period_s if abs(seconds - row * period_s) <= 1e-6 * period_s else seconds


def _check_keys(table: IncidentConfig, shared: bool, place: str) -> None:
    own = OWN_KEYS[table.kind]
    others = {key for keys in OWN_KEYS.values() for key in keys} - set(own)
    given = [key for key in type(table).model_fields if getattr(table, key) is not None]
    wrong = next((key for key in given if key in others), None)
    if wrong is not None:
        raise ConfigError(f"{place}.{wrong}: {table.kind!r} does not have this key; its own: {', '.join(own)}")
    if table.kind == "bad_link" and not set(own) & set(given):
        raise ConfigError(f"{place}: a bad_link needs at least one of {', '.join(own)}")
    if table.kind == "clock_skew" and not (table.offset_s or table.drift_ppm):
        raise ConfigError(f"{place}: a clock_skew needs offset_s or drift_ppm other than 0")
    if shared and table.goodbye is not None:
        raise ConfigError(f'{place}.goodbye: without connection = "device" in [network] there is nobody to say it')


def _meant(table: IncidentConfig, sources: Sequence[Source], place: str) -> list[Source]:
    sites = sorted({site for site, _ in sources})
    if table.site is not None and table.site not in sites:
        raise ConfigError(f"{place}.site: {unknown('site', table.site, sites)}")
    there = [source for source in sources if table.site in (None, source[0])]
    if not table.device:
        return there
    meant = [source for source in there if source[1] == table.device]
    if not meant:
        raise ConfigError(f"{place}.device: {unknown('device', table.device, [name for _, name in there])}")
    if len(meant) > 1:
        both = " and ".join(repr(site) for site, _ in meant)
        raise ConfigError(f"{place}.site: this key is required, for {table.device!r} stands at {both}")
    return meant


def _check_overlaps(incidents: Sequence[Incident], where: str) -> None:
    """A device is offline for one reason at a time, and has one clock and one link."""
    latest: dict[tuple[Source, str], Incident] = {}
    for one in sorted(incidents, key=lambda incident: incident.start_s):
        about = "offline" if one.kind in OFFLINE else one.kind
        before = latest.get((one.source, about))
        # Offline twice with nothing between is offline once: which of the two would the truth be?
        if before is not None and (one.start_s < before.end_s or (about == "offline" and one.start_s == before.end_s)):
            first, second = sorted((before, one), key=lambda incident: incident.number)
            raise ConfigError(
                f"{where}: incidents.{second.number}: {second.kind} of {one.device!r} contradicts "
                f"incidents.{first.number} ({first.kind}), which overlaps or touches it"
            )
        latest[one.source, about] = one
