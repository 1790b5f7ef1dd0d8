"""What is told and drawn of a synthesizer: channels, conditions, bands, and the report of its training."""

from dataclasses import replace

import numpy as np
import pytest

from anomgan.config import SynthesizerConfig
from anomgan.gan.train import Normal
from anomgan.records import TimeSeries
from anomgan.synthesis.account import band_shares
from anomgan.synthesis.conditions import Condition
from anomgan.synthesis.marginals import fit_marginal
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_cli.plot_style import Form
from anomgan_cli.synthesizer_plots import MADE, SHOWN, examples_of, hidden_cells, synthesizer_report
from anomgan_cli.synthesizer_shown import bands, names, of_channel, of_condition

ROWS = 300
BEGINS: dict[Form, bytes] = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def plant(seed: int = 0) -> TimeSeries:
    """A wave, a valve that is mostly shut, one that never moves, and a mode; a gap, and values that are missing."""
    rng = np.random.default_rng(seed)
    valve = np.where(rng.random(ROWS) < 0.8, 0.0, rng.random(ROWS).round(2))
    values = np.stack([np.sin(np.arange(ROWS) / 4), valve, np.full(ROWS, 7.0), np.arange(ROWS) // 60 % 2], axis=1)
    values[260:264, 0] = np.nan
    times = np.arange(ROWS) + np.where(np.arange(ROWS) > 270, 500.0, 0.0)
    return TimeSeries(times, values, ("flow $x$", "valve", "constant", "mode"), None, ("m3/h", "", "V", ""), "p1")


@pytest.fixture(scope="module")
def maker() -> Synthesizer:
    config = SynthesizerConfig(window=16, width=8, latent=4, steps=60, batch=16, conditions=("mode",), device="cpu")
    return Synthesizer.fit([plant(0), replace(plant(1), device="p2")], config)


# ---------------------------------------------------------------- in words


def test_channels_are_told_by_their_values() -> None:
    valve = np.r_[np.zeros(60), np.linspace(0.5, 1.5, 40).round(2)]
    told = of_channel("bar", fit_marginal(valve))
    assert told == "bar, 0 to 1.5, 2 decimals; stays at 0"
    assert of_channel("", fit_marginal(np.full(9, 7.0))) == "always 7"
    assert of_channel("V", fit_marginal(np.full(9, 7.0))) == "V, always 7"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (Condition("hour"), "time of day, UTC"),
        (Condition("weekday"), "day of the week, UTC"),
        (Condition("mode", (1.0, 2.5)), "one of 1, 2.5"),
        (Condition("device", ("a", "b")), "one of a, b"),
        (Condition("load", (), 20.0, 2.5), "a number, 20 in the middle, spread 2.5"),
    ],
)
def test_conditions_are_told_by_what_they_can_be(condition: Condition, told: str) -> None:
    assert of_condition(condition) == told


def test_of_many_names_the_first_are_told() -> None:
    assert names([str(i) for i in range(23)]).endswith("18, 19 and 3 more")


def test_bands_that_hold_too_little_are_told_by_channel(maker: Synthesizer) -> None:
    def told(*band: float | None) -> list[tuple[str, str]]:
        return bands(Synthesizer(replace(maker.parts, summary={**maker.summary, "band": list(band)})))

    assert told(0.7, 0.9, None) == [
        ("of 90 %", "held 80 % of what was hidden from held-out rows (70 to 90 % by channel)"),
        ("far off", "flow $x$ 70 %"),
    ]
    assert told(None, None, None) == [("of 90 %", "was not measured, for too little was held out")]


def test_shares_are_measured_where_the_band_was_not_fitted(maker: Synthesizer) -> None:
    rng = np.random.default_rng(3)
    windows = rng.normal(size=(64, 3, 16)).astype(np.float32)
    windows[:, 2] = 0.0
    conditions = np.eye(2, dtype=np.float32)[np.arange(64) % 2]
    shares = band_shares(maker.parts.networks, Normal(windows, conditions), maker.parts.marginals, 0)
    odd = windows.copy()
    odd[16:32, 0] *= 30.0  # the second quarter alone, in which nothing is fitted
    worse = band_shares(maker.parts.networks, Normal(odd, conditions), maker.parts.marginals, 0)
    assert shares[2] == 1.0
    assert worse[0] is not None
    assert shares[0] is not None
    assert worse[0] < shares[0]
    assert band_shares(maker.parts.networks, Normal(windows[:4], conditions[:4]), maker.parts.marginals, 0)[0] is None


# ---------------------------------------------------------------- as a picture


def test_examples_are_held_out_rows_without_a_gap_and_what_was_hidden_of_them_is_filled(maker: Synthesizer) -> None:
    found = examples_of(maker, [plant(0)])
    begun, ended = found.real.times[[0, -1]]
    assert len(found.real) <= SHOWN * 16
    assert begun >= plant().times[ROWS * 4 // 5]
    assert np.diff(found.real.times).max() == 1.0
    assert found.made.shape == (MADE, len(found.real), 3)
    assert found.every.shape == (ROWS, 3)
    assert ended - begun == len(found.real) - 1
    assert found.completed.hidden[hidden_cells(len(found.real), 3, 16)].all()
    assert np.isfinite(found.completed.series.values).all()


def test_every_channel_has_parts_that_are_hidden_and_parts_that_are_not() -> None:
    hidden = hidden_cells(48, 9, 16)
    assert (hidden.mean(0) > 0.1).all()
    assert (hidden.mean(0) < 0.7).all()


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_report_is_what_its_ending_says_and_the_same_each_time(maker: Synthesizer, form: Form) -> None:
    series = [plant(0), plant(1)]
    drawn = synthesizer_report(maker, series, form)
    assert drawn.startswith(BEGINS[form])
    if form == "svg":
        assert drawn == synthesizer_report(maker, series, form)
        assert b"$x$" in drawn
