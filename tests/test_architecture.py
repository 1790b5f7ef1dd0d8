"""The house plan, kept by the syntax trees: which way imports run, who may touch the outside world, what a file is."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import anomgan

ROOT = Path(anomgan.__file__).parent
SERVICES = ROOT.parent / "services"
LIBRARY = sorted(ROOT.rglob("*.py"))
PROGRAMS = sorted(SERVICES.rglob("*.py"))
EVERY = LIBRARY + PROGRAMS

MAY_IMPORT = {
    "errors": "",
    "records": "errors",
    "config": "config errors shown",
    "shown": "",
    "windows": "errors records",
    "fleet_windows": "errors groups growth records windows",
    "pyramid": "",
    "roles": "records scaling",
    "gaussian": "",
    "growth": "",
    "groups": "",
    "scaling": "records",
    "calibrate": "errors records",
    "expected": "records",
    "explain": "motion records",
    "similar": "records",
    "snapshots": "records",
    "decide": "band config errors explain motion records snapshots",
    "alarms": "alarms config errors explain records snapshots",
    "assemble": "errors records",
    "quality": "config errors groups growth quality records roles scaling snapshots",
    "manifold": "errors records",
    "gan": "config errors game gan manifold",
    "pool": "errors records scaling windows",
    "motion": "",
    "band": "",
    "course": "band gaussian motion scaling",
    "score": "course gan gaussian pyramid",
    "examination": "records",
    "game": "records",
    "exceedance": "calibrate rates records",
    "account": "exceedance game gan records scaling",
    "progress": "gan",
    "fit": "account calibrate config errors gan gaussian pool progress quality records roles scaling score windows",
    "sheet": "calibrate fit game",
    "sealed_file": "config errors gan pool",
    "model_file": "calibrate config errors fit gan gaussian quality scaling score sealed_file",
    "detector": """calibrate config course decide errors examination explain fit gan model_file pool records scaling
    score windows""",
    "drift": "config",
    "strips": "errors",
    "likeness": "calibrate fit gaussian records score",
    "adaptation": "config detector drift errors likeness records snapshots strips",
    "handover": "records scaling windows",
    "stream": "adaptation config detector errors examination fleet_windows handover records scaling windows",
    "enough": "calibrate config records",
    "baselines": "errors records scaling windows",
    "matching": "errors records",
    "vus": "records",
    "evaluation": "errors matching records vus",
    "fidelity": "errors evaluation fidelity manifold records scaling vus windows",
    "synthesis": "config errors game gan manifold pool progress records scaling sealed_file simulate synthesis windows",
    "synthesis_baselines": "errors records",
    "imputer": "config decide detector errors expected explain records score synthesis windows",
    "rates": "records",
    "judging": "errors judging matching rates records wire",
    "annotations": "judging wire",
    "privacy": "errors privacy records scaling windows",
    "simulate": "config errors records simulate",
    "control": "errors snapshots wire",
    "wire": "config errors expected records wire",
    "recognise": "config errors recognise records shown wire",
    "adapters": "adapters band config errors expected records shown wire",
}
"""Library module or package -> those it may import. A new module takes its place here first."""

WITHOUT_TORCH = """band similar records snapshots errors config windows decide alarms control explain motion examination
assemble rates game exceedance judging annotations privacy scaling shown calibrate quality simulate wire recognise
adapters expected fidelity synthesis_baselines"""

ONLY_IN: dict[str, str | tuple[str, ...]] = {
    "paho": "anomgan/adapters/mqtt",
    "influxdb_client": "anomgan/adapters/influx",
    "urllib3": ("anomgan/adapters/influx", "anomgan/adapters/ping.py", "anomgan/adapters/grafana.py"),
    "apprise": "anomgan/adapters/notify.py",
    "prometheus_client": "services/anomgan_detector/metrics.py",
    "google": "anomgan/wire/sparkplug_schema.py",
    "sqlite3": ("anomgan/adapters/sqlite", "anomgan/adapters/journal"),
    "polars": "anomgan/adapters/",
    "amqtt": "anomgan/adapters/local_broker",
    "safetensors": "anomgan/sealed_file.py",
    "matplotlib": tuple(
        f"services/anomgan_cli/{name}.py"
        for name in (
            "plot_style",
            "plots",
            "game_plots",
            "synthesizer_plots",
            "training_plots",
            "benchmark_plots",
            "judge_plots",
            "kind_plots",
            "privacy_plots",
            "fidelity_plots",
        )
    ),
    "icalendar": "anomgan/alarms/maintenance.py",
    "recurring_ical_events": "anomgan/alarms/maintenance.py",
    "sklearn": ("anomgan/baselines.py", "anomgan/fidelity/discriminative.py", "anomgan/fidelity/prediction.py"),
    "opacus": ("anomgan/gan/private.py", "anomgan/synthesis/budget.py"),
    "starlette": "services/anomgan_dashboard/",
    "uvicorn": "services/anomgan_dashboard/",
}
"""Library of others -> the start of the paths that may import it."""

OUTSIDE_WORLD = """socket ssl select http urllib requests asyncio subprocess threading multiprocessing signal tempfile
shutil glob pathlib io os sys time random secrets uuid getpass platform logging warnings"""
ALLOWED_OUTSIDE = {
    ("anomgan/detector.py", "os"),  # PathLike, a type
    ("anomgan/gan/train.py", "time"),  # the clock that is an argument needs a default
    ("anomgan/synthesis/synthesizer.py", "os"),  # the same
    ("anomgan/synthesis/private_fit.py", "secrets"),  # noise that anybody could foretell hides nothing
}
TORCH_IN = (
    "anomgan/gan/",
    "anomgan/fit.py",
    "anomgan/account.py",
    "anomgan/score.py",
    "anomgan/course.py",
    "anomgan/pyramid.py",
    "anomgan/gaussian.py",
    "anomgan/detector.py",
    "anomgan/model_file.py",
    "anomgan/likeness.py",
    "anomgan/sealed_file.py",
    "anomgan/synthesis/",
)
DICE = ("np.random.default_rng", "np.random.Generator", "np.random.Philox", "np.random.SeedSequence")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "engine", "misc", "tools"}
ROOTS = {"Exception", "Protocol", "NamedTuple", "nn.Module", "BaseModel", "Generic"}
LONGEST = 300


def name_of(path: Path) -> str:
    return path.relative_to(ROOT.parent).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), name_of(path))


@cache
def imports(path: Path) -> tuple[tuple[str, ast.stmt], ...]:
    """(full module name, statement) of everything a file imports, inside functions too."""
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or ".", node))
            if node.module in ("anomgan", "anomgan.adapters"):
                found += [(f"{node.module}.{alias.name}", node) for alias in node.names]
    return tuple(found)


def part_of(path: Path) -> str:
    """The module or package of the library that a file belongs to."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def test_imports_run_one_way() -> None:
    wrong = []
    for path in LIBRARY:
        here = part_of(path)
        if here == "__init__":
            continue  # the front door leads everywhere, lazily; see the tests of the public names
        assert here in MAY_IMPORT, f"{here} has no place in the plan: give it one in MAY_IMPORT"
        allowed = MAY_IMPORT[here].split()
        for module, statement in imports(path):
            top, _, rest = module.partition(".")
            when_asked = statement not in tree_of(path).body
            if here in ("detector", "synthesis") and module == "anomgan.adapters.files" and when_asked:
                continue  # save and load take a path, and reach for files only then
            inside = top == "anomgan" and rest
            if top.startswith("anomgan_") or not top or (inside and rest.split(".")[0] not in allowed):
                wrong.append(f"{name_of(path)}:{statement.lineno} imports {module}")
    assert wrong == []


def test_the_plan_has_no_cycle() -> None:
    plan = {name: set(allowed.split()) - {name} for name, allowed in MAY_IMPORT.items()}
    while plan:
        leaves = [name for name, allowed in plan.items() if not allowed & plan.keys()]
        assert leaves, f"a cycle among {sorted(plan)}"
        for name in leaves:
            del plan[name]


def test_the_outside_world_is_behind_the_adapters() -> None:
    wrong = []
    for path in EVERY:
        where = name_of(path)
        pure = where.startswith("anomgan/") and not where.startswith("anomgan/adapters/")
        for module, statement in imports(path):
            top = module.split(".")[0]
            if (
                not where.startswith(ONLY_IN.get(top, ""))
                or (top == "torch" and not where.startswith(TORCH_IN))
                or (pure and top in OUTSIDE_WORLD.split() and (where, top) not in ALLOWED_OUTSIDE)
            ):
                wrong.append(f"{where}:{statement.lineno} imports {module}")
    assert wrong == []


def test_the_library_opens_no_file_prints_nothing_and_asks_no_clock_or_global_dice() -> None:
    wrong = []
    for path in LIBRARY:
        pure = not name_of(path).startswith("anomgan/adapters/")
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if (
                called in ("print", "input", "eval", "exec", "breakpoint")
                or called.startswith(("pickle.", "torch.load", "torch.save"))
                or (called.startswith("np.random.") and (called not in DICE or not (node.args or node.keywords)))
                or (pure and called in ("open", "torch.manual_seed", "torch.seed", "np.load", "np.save"))
                or (pure and called.endswith((".now", ".utcnow", ".today", "time.time", "time.monotonic")))
            ):
                wrong.append(f"{name_of(path)}:{node.lineno} calls {called}")
    assert wrong == []


def test_one_door_leads_to_the_terminal() -> None:
    """Behind it, nothing that came from outside steers one."""
    doors = ("click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write", "logging.StreamHandler")
    wrong = [
        f"{name_of(path)}:{node.lineno} calls {ast.unparse(node.func)}"
        for path in PROGRAMS
        if name_of(path) != "services/anomgan_cli/terminal.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (*doors, "logging.basicConfig")
    ]
    assert wrong == []


def test_a_file_is_named_for_its_idea_says_what_it_is_and_is_not_long() -> None:
    wrong = []
    for path in EVERY:
        length = len(path.read_text("utf-8").splitlines())
        named = BANNED_NAMES.isdisjoint({path.stem, path.parent.name})
        if not named or length > LONGEST or not ast.get_docstring(tree_of(path)):
            wrong.append(f"{name_of(path)}: {length} lines")
    assert wrong == []


def test_classes_inherit_from_modules_exceptions_protocols_and_models_only() -> None:
    classes = {
        node.name: (f"{name_of(path)}:{node.lineno}", [ast.unparse(base).split("[")[0] for base in node.bases])
        for path in EVERY
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.bases
    }

    def rooted(name: str) -> bool:
        return name in ROOTS or (name in classes and all(map(rooted, classes[name][1])))

    wrong = [f"{where} {name}({', '.join(bases)})" for name, (where, bases) in classes.items() if not rooted(name)]
    assert wrong == []


def test_nothing_forwards_unnamed_keywords() -> None:
    functions = [
        (path, node) for path in LIBRARY for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)
    ]
    assert [f"{name_of(path)}:{node.lineno} {node.name}" for path, node in functions if node.args.kwarg] == []


# ---------------------------------------------------------------- what an import costs


def first_to_import(modules: list[str], heavy: list[str]) -> str:
    """ "" or the first of the modules that brings in one of the heavy ones, found in a fresh interpreter."""
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"    found = [h for h in {heavy!r} if h in sys.modules]\n"
        "    if found: print(name, 'imports', *found); break\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_a_service_without_training_needs_does_not_import_torch() -> None:
    paths = [path for path in LIBRARY if part_of(path) in WITHOUT_TORCH.split() and "child" not in path.stem]
    modules = ["anomgan", *(name_of(path).removesuffix(".py").replace("/", ".") for path in paths)]
    modules = [module.removesuffix(".__init__") for module in modules]
    assert len(modules) > 20
    assert first_to_import(modules, ["torch"]) == ""


def test_the_library_imports_without_what_only_adapters_need() -> None:
    modules = [
        "anomgan",
        "anomgan.stream",
        "anomgan.evaluation",
        "anomgan.baselines",
        "anomgan.simulate",
        "anomgan.wire",
    ]
    assert first_to_import(modules, [*(name for name in ONLY_IN if name != "safetensors"), "click"]) == ""


# ---------------------------------------------------------------- the front door

PROMISED = {
    *("Detector", "DetectorConfig", "StreamDetector", "TimeSeries", "Reading", "Verdict", "Event"),
    *("evaluate", "read_csv", "AnomganError"),
}


def test_every_public_name_exists_and_says_what_it_is() -> None:
    assert set(anomgan.__all__) >= PROMISED
    assert len(set(anomgan.__all__)) == len(anomgan.__all__)
    for name in anomgan.__all__:
        assert getattr(anomgan, name) is not None
        assert name in dir(anomgan)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = anomgan.no_such_name
