"""The history in a folder of models, and what `anomgan models` shows of models, history and shadow."""

import json
from typing import TYPE_CHECKING, Any

from anomgan_cli.inputs import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomgan.adapters.model_folder import Manifest, ModelFolder
    from anomgan.adapters.sqlite_training import TrainingHistory
    from anomgan.config import DetectorConfig, FleetConfig
    from anomgan.enough import Need
    from anomgan.records import TimeSeries


def detector_config(table: "FleetConfig | None", settings: dict[str, Any]) -> "DetectorConfig":
    """How a model is trained: as configured, but for what is given."""
    from anomgan.config import DetectorConfig, parse_config
    from anomgan_detector.training import training_settings

    configured = {} if table is None else training_settings(table)
    given = configured | {name: value for name, value in settings.items() if value is not None}
    return parse_config(DetectorConfig, given, "anomgan models train")


def open_history(folder: "ModelFolder") -> "TrainingHistory":
    """The history of a folder; DataError where there is none yet."""
    from anomgan.adapters.sqlite_training import FILE_NAME, TrainingHistory
    from anomgan.errors import DataError

    if not (folder.path / FILE_NAME).exists():
        raise DataError(f"{folder.path}: no history yet; the service gathers it")
    return TrainingHistory(str(folder.path))


def read_history(
    history: "TrainingHistory", first_s: float, last_s: float, with_events: bool
) -> "tuple[list[TimeSeries], tuple[str, ...]]":
    """A series of each device and the channels that were left out; DataError where there is nothing in the range."""
    from anomgan.assemble import agreeing, fleet_series
    from anomgan.errors import DataError

    if history.partial():
        readings = list(history.readings(first_s, last_s, with_events=with_events))
        found = fleet_series(readings, partial=True) if readings else None
    else:
        several = [one for one in history.series(first_s, last_s, with_events=with_events) if len(one) > 1]
        found = agreeing(several) if several else None
    if found is None:
        raise DataError(f"{history.path}: no reading lies in that range")
    return found


def needs_of(
    history: "TrainingHistory", series: "Sequence[TimeSeries]", config: "DetectorConfig", at_least_h: float
) -> "list[Need]":
    """All that is needed of a history."""
    from anomgan.enough import count_needs, look_needs

    return count_needs(history.rows(), config) + look_needs(series, config, at_least_h)


def model_line(folder: "ModelFolder", manifest: "Manifest", number: int) -> str:
    """One model in a line; what is wrong with its file, where something is."""
    from anomgan.errors import ModelFileError
    from anomgan.model_file import read_header

    roles = {manifest.champion: "champion", manifest.challenger: "challenger"}
    role = roles.get(number, "")
    path = folder.model_path(number)
    try:
        content = folder.content(number)
        header = read_header(content, str(path))
    except ModelFileError as error:
        return f"  {number:>4} {role:<10} {error}"
    summary, config = header["summary"], header["config"]
    return (
        f"  {number:>4} {role:<10} {len(header['channels'])} channels, window {config['window']}, "
        f"{summary['rows']:,} rows of {summary['series']} devices, {moment(summary['first_time_s'])} to "
        f"{moment(summary['last_time_s'])}, {len(content) / 1000:.0f} kB"
    )


def history_lines(folder: "ModelFolder", table: "FleetConfig | None") -> list[str]:
    """How much history there is, what is enough, and why."""
    from anomgan.adapters.sqlite_training import FILE_NAME
    from anomgan.enough import span_h

    if not (folder.path / FILE_NAME).exists():
        return ["history: none yet; the service gathers it"]
    history = open_history(folder)
    try:
        if not history.rows():
            return ["history: none yet; the service gathers it"]
        series, _ = read_history(history, float("-inf"), float("inf"), with_events=False)
        rows = sum(map(len, series))
        at_least_h = 0.0 if table is None else table.learn.at_least_h
        needs = needs_of(history, series, detector_config(table, {}), at_least_h)
    finally:
        history.close()
    about = f"history: {rows:,} normal rows of {len(series)} devices, {span_h(series):.3g} h, {len(series[0].channels)}"
    return [f"{about} channels, a row every {series[0].period_s:g} s", *(f"  {need}" for need in needs)]


def shadow_lines(folder: "ModelFolder", manifest: "Manifest", table: "FleetConfig | None") -> "Sequence[str]":
    """How the challenger does beside the champion."""
    from anomgan.config import LearnConfig
    from anomgan.errors import DataError
    from anomgan_detector.comparison import comparison_from, told

    path = folder.path / "shadow.json"
    if manifest.challenger is None:
        return []
    if not path.exists():
        return ["shadow: nothing yet; a running service writes it every learn.say_every_s seconds"]
    try:
        comparison = comparison_from(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not what a service writes: {error}") from None
    if comparison.challenger_name != folder.name_of(manifest.challenger):
        return ["shadow: nothing yet of this challenger; a running service writes it every learn.say_every_s seconds"]
    return told(comparison, (LearnConfig() if table is None else table.learn).shadow_h)
