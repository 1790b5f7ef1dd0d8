"""What the simulator says of its network, in lines of text."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

from anomgan.simulate.network import Counts, Incident, LinkConfig, NetworkPlan

LISTED = 20
"""incidents named before the list is cut short"""


def describe_network(plan: NetworkPlan) -> Iterator[str]:
    """How devices are connected, what their links do to messages, and what will happen to them."""
    config = plan.config
    if config.connection == "shared":
        yield "connection: one for all devices"
    else:
        status = f", last will on {config.status}" if config.status else ""
        yield f"connection: one for each of {len(plan.links)} devices, client id {config.client_id}{status}"
    for link, run in groupby(plan.links.items(), key=lambda item: item[1]):
        names = [name for (_, name), _ in run]
        span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        yield f"link of {span}: {describe_link(link)}"
    entries = [list(run) for _, run in groupby(plan.incidents, key=lambda one: (one.start_s, one.number, one.kind))]
    for entry in entries[:LISTED]:
        yield f"incident: {describe_incident(entry)}"
    if len(entries) > LISTED:
        yield f"incident: and {len(entries) - LISTED} more"


def describe_link(link: LinkConfig) -> str:
    """What differs from a perfect one."""
    usual = LinkConfig()
    given = [(key, getattr(link, key)) for key in LinkConfig.model_fields]
    found = [
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in given
        if value != getattr(usual, key)
    ]
    return ", ".join(found) or "perfect"


def describe_incident(entry: list[Incident]) -> str:
    """`3600 s to 3900 s, pump-1: outage`, for all that one entry of the file means."""
    one = entry[0]
    who = one.device if len(entry) == 1 else f"{len(entry)} devices"
    until = f"{one.end_s:g} s" if math.isfinite(one.end_s) else "the end"
    if one.number < 0:
        return f"{one.start_s:g} s to {until}, {who}: clocks differ"
    detail = "".join(f", {key} {value:g}" for key, value in one.detail.items() if value)
    return f"{one.start_s:g} s to {until}, {who}: {one.kind}{detail}"


def describe_counts(counts: Counts | None) -> str:
    """What became of messages on the way, as far as anything did."""
    if counts is None:
        return ""
    said = [f"{value} {name}" for name, value in asdict(counts).items() if value and name != "published"]
    return f"; network: {', '.join(said)}"
