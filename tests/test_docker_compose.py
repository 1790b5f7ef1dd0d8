"""docker/ without an engine: the compose schema, hardening, secrets, configurations, scripts, the Dockerfile."""

import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_files import DOCKER, filled_env, interpolated, merged, read_compose, read_env

from anomgan.config import ServiceConfig, parse_config
from anomgan.simulate import ScenarioConfig

ROOT = DOCKER.parent
VARIANTS = {"InfluxDB 2": ("compose.yaml",), "InfluxDB 3": ("compose.yaml", "compose.influxdb3.yaml")}
ONCE = {"train", "database"}
"""services that end when their work is done"""
OURS = {"anomgan:0.1.0", "anomgan-light:0.1.0"}


@pytest.fixture(params=VARIANTS, ids=str)
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read_compose(*VARIANTS[request.param])


def services(compose: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(compose["services"].items())


def tool(name: str) -> str:
    """A program that a package has put beside this interpreter."""
    return str(Path(sys.executable).parent / name)


# ---------------------------------------------------------------- the compose files


def test_each_variant_is_valid_by_the_compose_specification(compose: dict[str, Any], tmp_path: Path) -> None:
    def complaints(document: dict[str, Any]) -> str:
        (tmp_path / "compose.json").write_text(json.dumps(document))
        line = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.json"]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    assert complaints(compose) == "ok -- validation done\n"
    compose["services"]["detector"]["helthcheck"] = {}
    assert "helthcheck" in complaints(compose)


def test_merging_adds_to_volumes_replaces_commands_and_keeps_the_rest() -> None:
    base = {"a": {"volumes": ["x"], "command": ["one"], "user": "1"}}
    assert merged(base, {"a": {"volumes": ["y"], "command": ["two"]}}) == {
        "a": {"volumes": ["x", "y"], "command": ["two"], "user": "1"}
    }
    assert interpolated("${A:-b}:$$C:${D}", {"D": "e"}) == "b:$C:e"


def test_images_are_pinned_to_a_whole_version(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        assert re.search(r":\d+\.\d+\.\d+(-core)?$", service["image"]), name
        assert (service["image"] in OURS) == ("build" in service), name


def test_nobody_is_root_or_writes_anywhere_but_in_volumes_and_memory(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        user = service["user"].split(":")[0]
        assert user.isdigit(), name
        assert int(user) > 0, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}, name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert volume.endswith(":ro") if source.startswith(".") else source in compose["volumes"], volume


def test_what_runs_on_is_started_again_and_has_a_health_check(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        if name not in ONCE | {"simulator", "truth"}:
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert service["healthcheck"]["retries"] == 3, name


def test_only_services_with_a_health_check_are_waited_for_to_be_healthy(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        for other, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert condition != "service_healthy" or "healthcheck" in compose["services"][other], name
            assert condition != "service_completed_successfully" or other in ONCE, name
            if "profiles" in compose["services"][other] and "profiles" not in service:
                assert how["required"] is False, f"{name} needs {other}, which a profile may leave out"


def test_nobody_writes_before_there_is_a_database_that_forgets() -> None:
    for files in VARIANTS.values():
        compose = read_compose(*files)
        made_by = {"database": "service_completed_successfully"} if "database" in compose["services"] else {}
        for name, service in services(compose):
            if "influxdb_detector_token" in service.get("secrets", ()):
                waited_for = {other: how["condition"] for other, how in service["depends_on"].items()}
                assert waited_for.items() >= {"influxdb": "service_healthy", **made_by}.items(), name


def test_ports_are_published_on_loopback_unless_told(compose: dict[str, Any]) -> None:
    ports = [port for _, service in services(compose) for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)
    told = read_compose(env=filled_env() | {"BIND_ADDRESS": "10.0.0.1"})
    assert told["services"]["grafana"]["ports"] == ["10.0.0.1:3000:3000"]


def test_links_follow_the_ports(tmp_path: Path) -> None:
    text = (DOCKER / ".env.example").read_text().replace("3000", "3001", 1).replace("8050", "8051", 1)
    (tmp_path / ".env").write_text(text.replace("TORCH_INDEX=", "TORCH_INDEX=x"))
    grafana = read_compose(env=read_env(tmp_path / ".env"))["services"]["grafana"]
    assert grafana["environment"]["GF_SERVER_ROOT_URL"] == "http://localhost:3001"
    assert grafana["environment"]["PAGE_URL"] == "http://localhost:8051"


def test_every_secret_that_a_service_reads_is_given_to_it_and_made_by_the_script(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "secrets.sh").write_text((DOCKER / "secrets.sh").read_text())
    (tmp_path / ".env.example").write_text("A=1\n")
    subprocess.run(["sh", "secrets.sh"], cwd=tmp_path, check=True, capture_output=True)
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert {Path(one["file"]).name for one in compose["secrets"].values()} <= made
    for name, service in services(compose):
        mounts = [volume.split(":")[:2] for volume in service.get("volumes", ())]
        told = [json.dumps(service.get(key)) for key in ("command", "environment", "healthcheck")]
        told += [re.sub("(?m)#.*$", "", path.read_text()) for path in mounted_texts(mounts)]
        read = set(re.findall(r"/run/secrets/([a-z0-9_.]+[a-z])", "\n".join(told)))
        given = set(service.get("secrets", ()))
        if service["image"] in OURS:  # a table of the configuration that a command does not use needs no secret
            assert given <= read, name
        else:
            assert given == read | mosquitto_passwords(name), name


def mounted_texts(mounts: list[list[str]]) -> list[Path]:
    sources = [DOCKER / source for source, _ in mounts if source.startswith(".")]
    return [path for source in sources for path in ([source] if source.is_file() else source.rglob("*.*"))]


def mosquitto_passwords(name: str) -> set[str]:
    return {f"mqtt_{user}_password" for user in ("devices", "detector", "health")} if name == "mosquitto" else set()


def test_secrets_are_random_are_kept_and_only_their_owner_gets_at_them(tmp_path: Path) -> None:
    for name in ("secrets.sh", ".env.example"):
        (tmp_path / name).write_text((DOCKER / name).read_text())
    found = []
    for _ in range(2):
        subprocess.run(["sh", "secrets.sh"], cwd=tmp_path, check=True, capture_output=True)
        found.append({path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()})
    assert found[0] == found[1]
    assert found[0].pop("influxdb_detector_token") == found[0]["influxdb_token"], "until it is given one of its own"
    assert len(set(found[0].values())) == len(found[0])
    assert all(len(secret) >= 64 for secret in found[0].values())
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (tmp_path / "secrets").iterdir())
    token = json.loads(found[0]["influxdb3_admin_token.json"])["token"]
    assert token == found[0]["influxdb_token"]
    assert token.startswith("apiv3_")
    assert (tmp_path / ".env").read_text() == (DOCKER / ".env.example").read_text()


def test_without_the_index_of_pytorch_nothing_is_built() -> None:
    with pytest.raises(AssertionError, match="TORCH_INDEX"):
        read_compose(env=read_env())


def test_env_example_names_exactly_what_the_files_ask_for_and_holds_no_secret() -> None:
    text = "".join((DOCKER / name).read_text() for name in VARIANTS["InfluxDB 3"])
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    assert read_env().keys() - {"COMPOSE_PROFILES", "COMPOSE_FILE"} == asked
    assert not re.search("(?i)password=|token=|secret=", (DOCKER / ".env.example").read_text())


def test_the_version_of_the_images_is_that_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {f"anomgan:{version}", f"anomgan-light:{version}"} == OURS


def test_both_variants_run_the_same_detector_dashboards_and_rules() -> None:
    two, three = (read_compose(*files)["services"] for files in VARIANTS.values())
    for name in ("detector", "page", "simulator", "truth", "mosquitto"):
        assert two[name]["command"] == three[name]["command"]
        assert two[name].get("volumes") == three[name].get("volumes")
    assert [one for one in two["grafana"]["volumes"] if "datasources" not in one] == [
        one for one in three["grafana"]["volumes"] if "datasources" not in one
    ]
    assert not any("DOCKER_INFLUXDB" in key for key in three["influxdb"]["environment"])


# ---------------------------------------------------------------- configurations and scripts


def test_the_configurations_are_valid() -> None:
    service = parse_config(ServiceConfig, tomllib.loads((DOCKER / "detector.toml").read_text()), "detector.toml")
    assert service.store.influx is not None
    assert service.monitor.port is not None
    parse_config(ScenarioConfig, tomllib.loads((DOCKER / "simulate.toml").read_text()), "simulate.toml")


def test_scripts_pass_shellcheck_and_may_be_executed() -> None:
    scripts = sorted(DOCKER.rglob("*.sh"))
    assert len(scripts) == 5
    done = subprocess.run([tool("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert all(script.stat().st_mode & 0o111 for script in scripts)


def test_the_dockerfile_passes_hadolint() -> None:
    line = [tool("hadolint"), "--no-color"]
    done = subprocess.run([*line, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    bad = subprocess.run([*line, "-"], input="FROM python\n", capture_output=True, text=True, check=False)
    assert "DL3006" in bad.stdout


def test_the_dockerfile_builds_what_compose_asks_for_and_ends_as_a_user_without_rights() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    stages = re.findall(r"(?m)^FROM (\S+) AS (\S+)$", text)
    assert {service["build"]["target"] for _, service in services(read_compose()) if "build" in service} == {
        "detector",
        "light",
    }
    assert {name for image, name in stages if image == "runtime"} == {"detector", "light"}
    assert {image for image, _ in stages} - {name for _, name in stages} == {"python:3.11.14-slim-trixie"}
    assert "\nUSER 10001:10001\n" in text
    kept = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert kept[0] == "*"
    for copied in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", text):
        for source in copied.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in kept, source


# ---------------------------------------------------------------- what the images install


def listed(name: str) -> set[str]:
    lines = (DOCKER / name).read_text().splitlines()
    names = {line for line in lines if line and line[0] not in "#-"}
    return names | {one for line in lines if line.startswith("-r ") for one in listed(line[3:])}


def test_every_package_of_an_image_has_a_pinned_version() -> None:
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert listed("detector.txt") <= pinned
    assert "torch" not in listed("light.txt")


WITHOUT = """
import sys
from importlib.metadata import packages_distributions
allowed = set({allowed!r}) | {{"anomgan"}}
owners = packages_distributions()
class Refuse:
    def find_spec(self, name, path=None, target=None):
        mine = owners.get(name.partition(".")[0])
        if mine and not allowed & set(mine) and name.partition(".")[0] not in ("anomgan", "_distutils_hack"):
            if not name.startswith("anomgan"):
                raise ModuleNotFoundError(f"not in the image: {{name}} of {{mine}}", name=name)
        return None
sys.meta_path.insert(0, Refuse())
from anomgan_cli.main import main
main({arguments!r})
"""


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        ("light.txt", ["simulate", "docker/simulate.toml", "--start", "now", "--check"]),
        ("light.txt", ["dashboard", "docker/detector.toml", "--host", "0.0.0.0"]),  # noqa: S104 it is to be refused
        ("detector.txt", ["detect", "docker/detector.toml", "--check"]),
        ("detector.txt", ["kinds", "pump"]),
    ],
)
def test_an_image_has_all_that_its_commands_import(image: str, arguments: list[str]) -> None:
    allowed = sorted(listed(image) | ({"torch"} if image == "detector.txt" else set()))
    program = WITHOUT.format(allowed=allowed, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "not in the image" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_that_is_missing_in_an_image_is_noticed() -> None:
    program = WITHOUT.format(allowed=["click"], arguments=["simulate", "docker/simulate.toml", "--check"])
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "not in the image" in done.stderr
