"""What to say of a name that nobody has."""

import difflib
from collections.abc import Iterable


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The name, and the nearest of those that there are: `unknown device 'pmp-1'; did you mean 'pump-1'?`."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names[:20])}"
    return f"unknown {what} {name!r}; {hint}"
