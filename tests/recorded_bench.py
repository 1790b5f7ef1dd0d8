"""A recording of a small bench, and a synthesizer that has learned from it, for fleets of `engine = "gan"`."""

from pathlib import Path
from typing import Any

import numpy as np

from anomgan.config import SynthesizerConfig
from anomgan.records import TimeSeries
from anomgan.synthesis.synthesizer import Synthesizer

PERIOD_S = 4.0
CHANNELS = ("flow", "temperature", "valve", "level")
UNITS = ("m³/h", "°C", "", "")
MODEL = "bench-gan.safetensors"
"""the file's name beside a scenario"""


def recording(rows: int = 800) -> TimeSeries:
    """Two waves, of 3 decimals about ten times the mode and of 1 decimal, a contact that follows them, and a level that
    never moves; the mode is 1 or 2."""
    rng = np.random.default_rng(5)
    mode = 1.0 + (np.arange(rows) // 40 % 2)
    phase = np.arange(rows) * 0.4
    flow = 10.0 * mode + np.sin(phase) + rng.normal(0.0, 0.1, rows)
    temperature = 50.0 + 4.0 * np.cos(phase) + rng.normal(0.0, 0.3, rows)
    values = [flow.round(3), temperature.round(1), (np.sin(phase) > 0.0).astype(float), np.full(rows, 7.25), mode]
    times = 1.7e9 + PERIOD_S * np.arange(rows)
    return TimeSeries(times, np.stack(values, axis=1), (*CHANNELS, "mode"), None, (*UNITS, ""), "bench")


def learned(steps: int = 250, conditions: tuple[str, ...] = ("mode", "hour")) -> Synthesizer:
    """A small one, soon trained."""
    config = SynthesizerConfig(
        window=16, width=12, latent=8, steps=steps, batch=32, learning_rate=1e-2, conditions=conditions, device="cpu"
    )
    return Synthesizer.fit(recording(), config)


def devices(**keys: Any) -> dict[str, Any]:
    """A `[[devices]]` table."""
    own = {"engine": "gan", "model": MODEL, "given": {"mode": 2}, "name": "bench-", "count": 2, "site": "north"}
    return own | keys


def save(folder: Path, model: Synthesizer) -> Path:
    """Put the model where a scenario in this folder finds it."""
    model.save(folder / MODEL)
    return folder / MODEL
