"""The questions about models: which there are, what one is, and how it keeps what it promises.

All of it comes from the store: the service writes a sheet of each model and fleet there, and the store counts what is
judged.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from anomgan.adapters.ports import Sheet
from anomgan.adapters.sqlite_models import BIN, Judged
from anomgan.adapters.sqlite_read import SqliteReader, open_reader
from anomgan.errors import Unreachable
from anomgan.rates import poisson_interval
from anomgan_dashboard.answers import Json, NoQuery, NotFound, Parameters, head, nothing, parse

WEEK_S = 7 * 86_400.0
FIRST_BIN = 2
"""exceedances are told from a surprise of two bins on, as of held-out windows"""
BRIEF = (
    "name", "series", "rows", "first_time_s", "last_time_s", "period_s", "window", "stride", "threshold",
    "alarms_per_week",
)  # fmt: skip


class ModelQuery(Parameters):
    """One model, by the name that verdicts carry."""

    name: str = Field(min_length=1)


def models(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """Every fleet with its models or what it has gathered, and every model in a few words."""
    parse(NoQuery, parameters)
    try:
        with open_reader(store) as reader:
            fleets = [sheet.content for sheet, _, _ in reader.sheets("fleet")]
            several = [
                brief(sheet, told_s, fleets) | {"alarms": alarms_json(sheet, fleets, reader)}
                for sheet, told_s, _ in reader.sheets("model")
            ]
            return head(reader.summary(), store, now_s) | {"fleets": fleets, "models": several}
    except Unreachable:
        return nothing(now_s) | {"fleets": [], "models": []}


def model(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """One model: its sheet, its fleets, and what it has judged."""
    query = parse(ModelQuery, parameters)
    with open_reader(store) as reader:
        found = reader.sheets("model", query.name)
        if not found:
            raise NotFound(f"no model {query.name!r} in the store")
        sheet, told_s, _ = found[0]
        fleets = [one.content for one, _, _ in reader.sheets("fleet") if query.name in users(one.content)]
        judged = reader.judged(query.name)
        return head(reader.summary(), store, now_s) | {
            "model": dict(sheet.content) | brief(sheet, told_s, fleets),
            "fleets": fleets,
            "alarms": alarms_json(sheet, fleets, reader, judged),
            "lived": exceedances_json(judged),
        }


def users(fleet: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The models of a fleet."""
    return fleet.get("champion"), fleet.get("challenger")


def brief(sheet: Sheet, told_s: float, fleets: list[Any]) -> Json:
    """A model in a few words; `role` by the fleets that use it."""
    content = sheet.content
    roles = [role for role in ("champion", "challenger") if any(sheet.name == fleet.get(role) for fleet in fleets)]
    return {
        **{name: content.get(name) for name in BRIEF},
        "digest": sheet.digest[:12],
        "role": next(iter(roles), "retired"),
        "told_s": told_s,
        "channel_count": len(content["channels"]),
        "balance": content["game"]["balance"],
    }


def alarms_json(sheet: Sheet, fleets: list[Any], reader: SqliteReader, judged: Judged | None = None) -> Json:
    """The alarm budget against the events that the store holds: a rate with its 95 % Poisson interval."""
    one = reader.judged(sheet.name) if judged is None else judged
    budgets = [fleet["alarms_per_week"] for fleet in fleets if sheet.name == fleet.get("champion")]
    weeks = one.windows * float(sheet.content["stride_s"]) / WEEK_S
    low, high = poisson_interval(one.told)
    return {
        "promised": budgets[0] if budgets else sheet.content["alarms_per_week"],
        "events": one.told,
        "muted": one.muted,
        "false_alarms": one.false_alarms,
        "weeks": weeks,
        "windows": one.windows,
        "first_s": one.first_s,
        "last_s": one.last_s,
        "rate": one.told / weeks if weeks else None,
        "low": low / weeks if weeks else None,
        "high": high / weeks if weeks else None,
        "devices": one.devices,
        "most": one.most,
        "most_device": one.most_device,
    }


def exceedances_json(judged: Judged) -> Json | None:
    """Of all that a model has judged, the share that reached each surprise that one window is promised to reach; faults
    are among it."""
    if judged.bins is None or judged.windows == 0:
        return None
    reached = judged.bins[::-1].cumsum()[::-1][FIRST_BIN:]
    surprise = BIN * np.arange(FIRST_BIN, FIRST_BIN + len(reached))
    told = 10.0**-surprise * judged.windows >= 1.0
    return {
        "surprise": surprise[told],
        "promised": 10.0 ** -surprise[told],
        "measured": reached[told] / judged.windows,
        "reached": reached[told],
    }


MODEL_QUESTIONS: Mapping[str, Callable[[Mapping[str, str], Path, float], Json]] = {"models": models, "model": model}
