"""What the service tells people of its models: a sheet of each and of each fleet, written to the store.

Sheets are about models and settings, not about turns: nothing that is judged depends on them. They are told when the
service begins, when somebody else judges, and, where their content has changed, every SAY_S seconds.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from anomgan.adapters.model_folder import ModelFolder
from anomgan.adapters.ports import Sheet
from anomgan.config import DetectorConfig, FleetConfig
from anomgan.enough import count_needs
from anomgan.errors import ModelFileError, ServerError
from anomgan.sheet import model_sheet
from anomgan_detector.comparison import judged
from anomgan_detector.fleet import Fleet
from anomgan_detector.gathering import Gathering
from anomgan_detector.loaded import Model
from anomgan_detector.post import Post
from anomgan_detector.shadow import Shadowed
from anomgan_detector.training import training_settings

SAY_S = 20.0
MOST_CHANGES = 20
History = Callable[[FleetConfig], tuple[dict[tuple[str, str], int], float, bool] | None]
"""of a fleet that learns: its rows by device, the hours that they span, and whether a training is under way"""


class Sheets:
    """Says which sheets are due; `history` knows of fleets that learn by themselves."""

    def __init__(self, history: History = lambda table: None) -> None:
        self._history = history
        self._models: dict[tuple[str, str], Sheet] = {}
        self._told = b""
        self._names: list[tuple[str, str]] = []
        self._due_s = float("-inf")

    def due(self, posts: Sequence[Post], now_s: float) -> Sequence[Sheet]:
        """All sheets where something has changed since they were told; nothing where it has not, or not for long."""
        names = [(post.name, post.digest) for post in posts]
        if now_s < self._due_s and names == self._names:
            return ()
        self._names, self._due_s = names, now_s + SAY_S
        sheets = self._sheets(posts)
        content = orjson.dumps([[sheet.kind, sheet.name, sheet.digest, sheet.content] for sheet in sheets])
        if content == self._told:
            return ()
        self._told = content
        return sheets

    def _sheets(self, posts: Sequence[Post]) -> list[Sheet]:
        used: dict[tuple[str, str], Sheet] = {}
        for post in posts:
            fleet = post.fleet if isinstance(post, Shadowed) else post
            if isinstance(fleet, Fleet):
                self._add(used, fleet.model)
            if isinstance(post, Shadowed):
                self._add(used, post.shadow.model)
        self._models = used
        return [*used.values(), *(self._fleet(post) for post in posts)]

    def _add(self, used: dict[tuple[str, str], Sheet], model: Model) -> None:
        key = (model.name, model.digest)
        known = self._models.get(key)
        if known is None:
            content = model_sheet(model.detector.parts, len(model.content)) | {"name": model.name}
            known = Sheet("model", model.name, model.digest, content)
        used[key] = known

    def _fleet(self, post: Post) -> Sheet:
        """Whose models they are, and where there is none, how far the history is."""
        table, fleet = post.config, post.fleet if isinstance(post, Shadowed) else post
        told: dict[str, Any] = {
            "topic": table.topic,
            "broker": table.broker,
            "site": table.site,
            "devices": list(table.devices),
            "dialect": table.dialect,
            "learns": table.learns,
            "heard": post.devices,
            "champion": fleet.name if isinstance(fleet, Fleet) else None,
            "challenger": post.shadow.model.name if isinstance(post, Shadowed) else None,
        }
        if isinstance(fleet, Fleet):
            told["alarms_per_week"] = table.alarms_per_week or fleet.detector.config.alarms_per_week
            told["threshold"] = fleet.detector.threshold_for(told["alarms_per_week"])
            if table.synthesizer:
                told["imputing"] = fleet.imputing.document()
        if isinstance(post, Shadowed):
            told["shadow"] = _shadow(post)
        if isinstance(fleet, Gathering):
            told["gathered"] = self._gathered(table)
        if table.learns:
            told["changes"] = _changes(ModelFolder(table.model))
        return Sheet("fleet", post.group.key, post.digest, told)

    def _gathered(self, table: FleetConfig) -> dict[str, Any]:
        """How much history there is, and what is needed of rows."""
        try:
            known = self._history(table)
        except ServerError:  # the trainer, which asks more often, tells it
            known = None
        if known is None:
            return {"devices": 0, "rows": 0, "hours": 0.0, "training": False, "needs": []}
        rows, hours, training = known
        needs = [
            {"what": need.what, "have": need.have, "enough": need.enough, "why": need.why, "met": need.met}
            for need in count_needs(rows, DetectorConfig(**training_settings(table)))
        ]
        return {
            "devices": len(rows),
            "rows": sum(rows.values()),
            "hours": round(hours, 4),
            "training": training,
            "needs": needs,
        }


def _shadow(post: Shadowed) -> dict[str, Any]:
    """How the challenger does beside the champion."""
    counted = post.shadow.comparison
    promotes, why = judged(counted, post.config.learn.shadow_h)
    sides = {
        role: {"anomalous": side.anomalous, "events": side.events}
        for role, side in (("champion", counted.champion), ("challenger", counted.challenger))
    }
    return {
        "windows": counted.windows,
        "device_s": round(counted.device_s),
        "hours": round(counted.hours, 2),
        "both": counted.both,
        "promotes": promotes,
        "rule": post.config.learn.promote,
        "why": why,
        **sides,
    }


def _changes(folder: ModelFolder) -> list[dict[str, Any]]:
    """The newest changes of who judges, the latest first; none where the manifest cannot be read, which is told
    elsewhere."""
    try:
        manifest = folder.read()
    except ModelFileError:
        return []
    return [
        {"time_s": one.time_s, "what": one.what, "model": folder.name_of(one.number), "reason": one.reason}
        for one in reversed(manifest.changes[-MOST_CHANGES:])
    ]
