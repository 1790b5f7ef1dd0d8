"""A challenger's shadow over restarts: what was counted goes on, under the names that the models have now."""

from pathlib import Path

from detector_plant import folder, model

from anomgan.config import DecideConfig, FleetConfig, InputConfig
from anomgan_detector.fleet import Fleet
from anomgan_detector.loaded import read_model
from anomgan_detector.shadow import Shadow

__all__ = ["folder", "model"]  # fixtures


def test_a_challenger_of_the_same_content_under_another_number_goes_on_under_its_name(model: Path) -> None:
    table = FleetConfig(model=str(model), topic="plant/{device}/telemetry")
    champion = Fleet(table, InputConfig(), DecideConfig())
    before = Shadow(table, DecideConfig(), read_model(model, "pumps-0002"), champion)
    before.comparison.windows = 7
    after = Shadow(table, DecideConfig(), read_model(model, "pumps-0003"), champion)
    after.restore(before.snapshot())
    assert (after.comparison.windows, after.comparison.challenger_name) == (7, "pumps-0003")
