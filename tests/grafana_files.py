"""The dashboards and alert rules of docker/grafana, and their queries as Grafana would send them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from compose_files import DOCKER

GRAFANA = DOCKER / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
VARIABLE = re.compile(r"\$\{([a-z]+)(?::(\w+))?\}|\$(?!__|timeFilter|tag_|col\b)([a-z]+)")


class Asked(NamedTuple):
    """One query: where it stands, its text, and in what form Grafana wants the answer."""

    where: str
    query: str
    form: str
    panel: Mapping[str, Any]


def dashboards() -> dict[str, dict[str, Any]]:
    """uid -> dashboard."""
    found = [json.loads(path.read_text()) for path in DASHBOARDS]
    return {one["uid"]: one for one in found}


def rules() -> list[dict[str, Any]]:
    """Every alert rule, with the name of its group."""
    document = yaml.safe_load((GRAFANA / "provisioning" / "alerting" / "rules.yaml").read_text())
    return [rule | {"group": group["name"]} for group in document["groups"] for rule in group["rules"]]


def queries() -> list[Asked]:
    """Every InfluxQL text of dashboards and rules."""
    return [*_of_dashboards(), *_of_rules()]


def _of_dashboards() -> Iterator[Asked]:
    for uid, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                form = target["resultFormat"]
                yield Asked(f"{uid}: {panel['title']} {target['refId']}", target["query"], form, panel)
        for one in board["annotations"]["list"]:
            yield Asked(f"{uid}: annotation {one['name']}", one["target"]["query"], "annotation", one)
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                yield Asked(f"{uid}: variable {one['name']}", one["query"], "variable", one)


def _of_rules() -> Iterator[Asked]:
    for rule in rules():
        yield Asked(f"rule: {rule['title']}", rule["data"][0]["model"]["query"], "time_series", rule)


def variables(text: str) -> set[str]:
    """Names of the dashboard's variables in a text."""
    return {found[1] or found[3] for found in VARIABLE.finditer(text)} - {"timeFilter"}


def substituted(query: str, values: Mapping[str, str], start_ms: int, end_ms: int, interval: str = "60s") -> str:
    """What Grafana sends: `values` are those of the variables; one that is not given has All chosen."""

    def put(found: re.Match[str]) -> str:
        assert found[2] == "regex", found[0]
        value = values.get(found[1])
        return ".*" if value is None else re.sub(r"[\\^$*+?.()|[\]{}/]", r"\\\g<0>", value)

    text = VARIABLE.sub(put, query)
    text = text.replace("$timeFilter", f"time >= {start_ms}ms and time <= {end_ms}ms")
    return text.replace("$__interval", interval)
