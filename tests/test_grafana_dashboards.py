"""Dashboards and alert rules of docker/grafana: Grafana's published schema, and what a schema does not see."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_files import DOCKER, read_compose
from grafana_files import DASHBOARDS, GRAFANA, dashboards, queries, rules, variables
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import alerting, dashboard
from grafana_foundation_sdk.models import units as unit_names

register_default_plugins()
UIDS = {"anomgan-fleet", "anomgan-device", "anomgan-events", "anomgan-detector"}
UNKNOWN_TO_THE_SCHEMA = {
    "target": "what an annotation asks of InfluxDB is the data source's own",
    "maxPerRow": "of repeated panels; it came into the schema later",
}


@pytest.fixture(params=sorted(UIDS))
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dashboards()[request.param]


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What the schema's model did not take, or changed."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in UNKNOWN_TO_THE_SCHEMA:
                yield from lost(value, after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}.{number}")
    elif before != after:
        yield path


def through_the_schema(board: dict[str, Any]) -> Any:
    return json.loads(JSONEncoder().encode(dashboard.Dashboard.from_json(board)))


def test_a_dashboard_goes_through_the_models_of_grafanas_schema_and_comes_back_whole(board: dict[str, Any]) -> None:
    assert list(lost(board, through_the_schema(board))) == []
    board["panels"][0]["optionz"] = {}
    board["panels"][0]["options"]["colourMode"] = "x"
    assert list(lost(board, through_the_schema(board))) == [".panels.0.options.colourMode", ".panels.0.optionz"]


def test_there_are_four_dashboards_and_each_links_to_the_others() -> None:
    found = dashboards()
    assert found.keys() == UIDS
    for uid, board in found.items():
        linked = {link["url"].removeprefix("/d/") for link in board["links"] if link["url"].startswith("/d/")}
        assert linked == UIDS - {uid}


def links_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["url"]] if isinstance(value.get("url"), str) else [])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from links_in(one)


def test_every_link_goes_to_a_dashboard_that_is_there_or_to_the_page(board: dict[str, Any]) -> None:
    for url in links_in(board["panels"]):
        target = re.match(r"/d/([a-z-]+)\?|\$\{page\}/event\?id=", url)
        assert target is not None, url
        if target[1]:
            given = set(re.findall(r"var-([a-z]+)=", url))
            known = {one["name"] for one in dashboards()[target[1]]["templating"]["list"]}
            assert given <= known, url


def test_panels_have_numbers_of_their_own_titles_descriptions_and_do_not_overlap(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"], panel["id"]
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (one["title"], other["title"])


def test_what_needs_attention_stands_on_top_of_the_fleet() -> None:
    top = [panel["title"] for panel in dashboards()["anomgan-fleet"]["panels"] if panel["gridPos"]["y"] < 5]
    assert top[0] == "Critical events open"
    assert top[-1] == "Needs attention: open events"


def test_every_query_goes_to_the_provisioned_data_source_and_knows_its_variables(board: dict[str, Any]) -> None:
    known = {one["name"] for one in board["templating"]["list"]}
    for where, query, _, holder in queries():
        if not where.startswith(f"{board['uid']}:"):
            continue
        assert holder["datasource"] == {"type": "influxdb", "uid": "anomgan"}, where
        assert variables(query) <= known, where
        assert all(one["rawQuery"] for one in holder.get("targets", ())), where
    for panel in board["panels"]:
        assert variables(panel["title"]) <= known
        assert panel.get("repeat") in {None, *known}


def test_overrides_name_columns_that_a_query_of_their_panel_gives(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        given = {"Time"}
        for target in panel.get("targets", ()):
            given |= set(re.findall(r'"(\w+)"', target["query"])) | {target.get("alias", "")}
        for override in panel.get("fieldConfig", {}).get("overrides", ()):
            matcher = override["matcher"]
            if matcher["id"] == "byName":
                assert matcher["options"] in given, (panel["title"], matcher)


def test_units_are_those_that_grafana_knows(board: dict[str, Any]) -> None:
    known = {value for name, value in vars(unit_names).items() if isinstance(value, str) and not name.startswith("_")}
    assert {"s", "percentunit", "bytes"} <= known
    for panel in board["panels"]:
        config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        used = [config["defaults"].get("unit", "none")]
        used += [one["value"] for rule in config["overrides"] for one in rule["properties"] if one["id"] == "unit"]
        assert set(used) <= known, panel["title"]


# ---------------------------------------------------------------- provisioning


def test_data_sources_of_both_generations_are_the_one_that_dashboards_ask() -> None:
    for variant in ("influxdb2", "influxdb3"):
        document = yaml.safe_load((GRAFANA / "datasources" / variant / "influxdb.yaml").read_text())
        (source,) = document["datasources"]
        assert (source["uid"], source["type"], source["url"]) == ("anomgan", "influxdb", "http://influxdb:8086")
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
        assert source["jsonData"]["httpMode"] in ("GET", "POST")
        assert "$__file{/run/secrets/" in source["secureJsonData"]["httpHeaderValue1"]


def test_provisioned_folders_are_where_compose_mounts_them() -> None:
    grafana = read_compose()["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    where = {inside: DOCKER / outside for outside, inside in mounts.items()}
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "anomgan.yaml").read_text())["providers"][0]
    for kind in ("datasources", "dashboards", "alerting"):
        assert list(where[f"/etc/grafana/provisioning/{kind}"].glob("*.yaml"))
    script = where[grafana["entrypoint"][1]].read_text()
    assert "from=${1:-/etc/grafana/dashboards}" in script
    assert f"to=${{2:-{provider['options']['path']}}}" in script
    assert len(list(where["/etc/grafana/dashboards"].glob("*.json"))) == len(UIDS)
    folder, _, home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].rpartition("/")
    assert folder == provider["options"]["path"]
    assert (where["/etc/grafana/dashboards"] / home).exists()


def started(folder: Path, page_url: str) -> subprocess.CompletedProcess[str]:
    """The container's entry point, with a program in Grafana's place."""
    (folder / "run.sh").write_text("#!/bin/sh\necho Grafana runs\n")
    (folder / "run.sh").chmod(0o755)
    line = ["/bin/sh", GRAFANA / "start.sh", GRAFANA / "dashboards", folder / "copies", folder / "run.sh"]
    environment = {"PATH": os.environ["PATH"], "PAGE_URL": page_url}
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("url", ["http://localhost:8050", "https://plant.example/a%20b/", "http://[::1]:9000"])
def test_the_dashboards_links_go_where_the_page_is(tmp_path: Path, url: str) -> None:
    assert started(tmp_path, url).stdout == "Grafana runs\n"
    for path in DASHBOARDS:
        before, after = path.read_text(), (tmp_path / "copies" / path.name).read_text()
        assert ("http://localhost:8050" in before) == (path.name != "detector.json")
        assert after == before.replace("http://localhost:8050", url.removesuffix("/"))


@pytest.mark.parametrize("url", ["", "localhost:8050", "http://a|b", 'http://a"b', "http://a&b", "http://a\\b"])
def test_an_address_that_would_break_the_dashboards_is_told_and_nothing_runs(tmp_path: Path, url: str) -> None:
    done = started(tmp_path, url)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"PAGE_URL: not an address such as http://localhost:8050: {url}" in done.stderr


# ---------------------------------------------------------------- alert rules


def test_the_rules_are_about_devices_and_about_the_detector() -> None:
    found = rules()
    assert {rule["title"] for rule in found} == {
        "Critical event open",
        "Device silent",
        "Detector down",
        "Detector hears nothing",
        "Detector lags behind",
        "Readings dropped",
        "Detector complains",
    }
    assert len({rule["uid"] for rule in found}) == len(found)
    assert all({"severity", "about"} == rule["labels"].keys() for rule in found)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_a_rule_goes_through_the_models_of_grafanas_schema_and_points_at_a_panel(rule: dict[str, Any]) -> None:
    provisioned = {"dashboardUid", "panelId", "group"}  # of the file's own format, beside the API's
    told = {key: value for key, value in rule.items() if key not in provisioned}
    back = json.loads(JSONEncoder().encode(alerting.Rule.from_json(told)))
    assert [path for path in lost(told, back) if not path.endswith(".model")] == []
    panels = {panel["id"]: panel for panel in dashboards()[rule["dashboardUid"]]["panels"]}
    assert panels[rule["panelId"]]["type"] != "row"
    assert rule["noDataState"] in ("Alerting", "NoData", "OK", "KeepLast")
    assert rule["execErrState"] in ("Alerting", "Error", "OK", "KeepLast")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_a_rule_is_a_query_its_newest_value_and_a_threshold(rule: dict[str, Any]) -> None:
    query, newest, threshold = rule["data"]
    assert (query["refId"], query["datasourceUid"]) == ("A", "anomgan")
    assert query["model"]["query"].count("$timeFilter") == 1
    assert variables(query["model"]["query"]) == set()
    assert (newest["model"]["type"], newest["model"]["expression"]) == ("reduce", "A")
    assert (threshold["model"]["type"], threshold["model"]["expression"]) == ("threshold", "B")
    assert rule["condition"] == threshold["refId"] == "C"
    assert {newest["datasourceUid"], threshold["datasourceUid"]} == {"__expr__"}


def test_texts_of_rules_have_no_dollar_sign_that_provisioning_would_replace() -> None:
    for rule in rules():
        assert "$" not in json.dumps(rule["annotations"] | rule["labels"])
