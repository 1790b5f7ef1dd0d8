"""What a result depends on: a digest of a module's source and of all that it imports from these packages.

A result that was made by other code must not be taken for this code's, and one that was made by the same code need not
be made again.
"""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("anomgan", "anomgan_benchmark")


@cache
def digest(*modules: str) -> str:
    """Twelve hexadecimal digits of the sources that these modules depend on."""
    whole = hashlib.sha256()
    for name, source in sorted(sources_of(*modules).items()):
        whole.update(name.encode() + b"\0" + source + b"\0")
    return whole.hexdigest()[:12]


def sources_of(*modules: str) -> dict[str, bytes]:
    """The sources of these modules and of all that they import, inside functions too."""
    found: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = None if name in found else _source(name)
        if path is not None:
            found[name] = path.read_bytes()
            waiting += _imports(ast.parse(found[name]))
    return found


def _imports(tree: ast.Module) -> list[str]:
    """The modules of PACKAGES that a module imports; a name taken from a package may be a module of it."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in PACKAGES]


def _source(name: str) -> Path | None:
    """The file of a module; None for a name that is none, such as a function."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # "a.b.c" where a.b is a module and no package
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin)
