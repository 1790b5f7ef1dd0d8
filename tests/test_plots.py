"""Pictures of commands: as wide as a paper, in the form that the ending says, whatever names come from outside."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import normal_series

from anomgan.detector import Detector
from anomgan.errors import ConfigError
from anomgan.evaluation import intervals
from anomgan.matching import match_events
from anomgan.records import TimeSeries
from anomgan_cli.plot_style import DPI, TWO_COLUMNS, Form, form_of, power, short
from anomgan_cli.plots import Picture, evaluation_plot
from anomgan_cli.training_plots import held_out_examples, training_report

BEGINS: dict[Form, bytes] = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
ODD = "flow $ of $ \\frac{1} ünïcödé <b> 漢字\nand " + "more " * 20


@pytest.fixture
def picture(detector: Detector) -> Picture:
    series = normal_series(120, 1)
    labels = np.zeros(120, np.bool_)
    labels[40:50] = True
    named = replace(series, labels=labels, device=ODD, channels=(ODD, *series.channels[1:]))
    events = detector.events(series)
    truth = intervals(labels, series.times, ODD)
    return Picture(
        series=named,
        channels=named.channels,
        expected=series.values.astype(np.float32),
        contribution=np.full(series.values.shape, 0.3),
        scores=detector.score(series),
        threshold=detector.threshold,
        truth=truth,
        found=events,
        matching=match_events(truth, events, 16.0),
        title=f"{ODD}: none found",
        figures="VUS-PR 0.5",
    )


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_a_picture_is_what_its_ending_says_and_the_same_each_time(picture: Picture, form: Form) -> None:
    drawn = evaluation_plot(picture, form)
    assert drawn.startswith(BEGINS[form])
    assert drawn == evaluation_plot(picture, form)


def test_a_png_is_as_wide_as_two_columns_at_200_dots_an_inch(picture: Picture) -> None:
    (width,) = struct.unpack(">I", evaluation_plot(picture)[16:20])
    assert width == round(TWO_COLUMNS * DPI)


@pytest.mark.parametrize(("name", "form"), [("a.png", "png"), ("b.PDF", "pdf"), ("c.d.svg", "svg")])
def test_the_ending_says_the_form(name: str, form: Form) -> None:
    assert form_of(Path(name)) == form


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", "a.png.gz"])
def test_any_other_ending_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}: .*\.png, \.pdf or \.svg"):
        form_of(Path(name))


def test_powers_of_ten_are_written_as_people_do() -> None:
    assert [power(value) for value in (1e-12, 1e-3, 0.01, 1.0, 300.0, 1e5)] == [
        "10⁻¹²",
        "10⁻³",
        "0.01",
        "1",
        "300",
        "10⁵",
    ]


def test_a_name_beside_an_axis_is_printable_and_no_longer_than_there_is_room_for() -> None:
    assert short("flow\nof water") == "flow of water"
    assert short("m" * 40) == "m" * 40
    assert short("pump-" * 20 + "7") == "pump-pump-pump-pump…mp-pump-pump-pump-7"
    assert len(short("a" * 30 + "b" * 30, 22)) <= 22


# ---------------------------------------------------------------- the report of a training


def test_examples_go_from_ordinary_to_odd_and_are_held_out(detector: Detector, train_series: TimeSeries) -> None:
    examples = held_out_examples(detector, train_series)
    surprises = [surprise for *_, surprise in examples]
    assert len(examples) == 3
    assert surprises == sorted(surprises)
    held = train_series.values[450:]
    for _, measured, rebuilt, _ in examples:
        assert measured.shape == rebuilt.shape == (3, detector.rule.window)
        starts = [
            at for at in range(len(held) - detector.rule.window + 1) if np.array_equal(held[at : at + 16].T, measured)
        ]
        assert len(starts) == 1


def test_a_report_of_a_training_is_drawn(detector: Detector, train_series: TimeSeries) -> None:
    assert training_report(detector, [train_series]).startswith(BEGINS["png"])
    svg = training_report(detector, [train_series], "svg")
    assert svg.startswith(BEGINS["svg"])


def test_a_report_of_little_is_drawn_too(detector: Detector) -> None:
    """No window of the held-out part is whole, no channel has a range, and nothing could be measured."""
    parts = detector.parts
    nothing = {"windows": 0, "overlap": 1, "apart": 0, "surprise": []}
    bare = Detector(replace(parts, summary={**parts.summary, "reliability": nothing, "normal_error": [None] * 3}))
    assert training_report(bare, [normal_series(20, 1)]).startswith(BEGINS["png"])
