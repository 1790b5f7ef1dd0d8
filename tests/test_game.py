"""The course of a game is kept short, and its health is what the monitors of training know."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

from anomgan.config import GameConfig
from anomgan.game import ADVICE, AGAINST_HELD_OUT, CURVES, MOST_POINTS, Balance, course_of, game_of


@dataclass(frozen=True)
class Look:
    """What a course takes of a look at the game."""

    step: int
    discriminator_loss: float = 1.0
    generator_loss: float = 0.5
    accuracy_real: float = 0.8
    accuracy_generated: float = 0.7
    diversity: float = 0.9
    reconstruction_error: float = 0.123456789
    coverage: float = 0.9
    density: float = 0.9


def looks(
    count: int,
    real: object = 0.8,
    made: object = 0.7,
    diversity: object = 0.9,
    coverage: object = 0.9,
    density: object = 0.9,
) -> list[Look]:
    given = (real, made, diversity, coverage, density)
    columns = [np.broadcast_to(np.asarray(column, np.float64), count) for column in given]
    return [
        Look(25 * (i + 1), accuracy_real=r, accuracy_generated=m, diversity=d, coverage=c, density=e)
        for i, (r, m, d, c, e) in enumerate(zip(*columns, strict=True))
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 199, 200, 201, 12_345])
def test_a_course_keeps_its_first_and_last_look_and_is_never_long(count: int) -> None:
    course = course_of(looks(count))
    assert set(course) == {"step", *CURVES, *AGAINST_HELD_OUT}
    assert {len(column) for column in course.values()} == {min(count, MOST_POINTS)}
    steps = [step for step in course["step"] if step is not None]
    assert course["step"] == sorted(set(steps))
    if count:
        assert (course["step"][0], course["step"][-1]) == (25, 25 * count)
        assert course["reconstruction_error"][0] == 0.1235


def noisy(count: int, middle: float, spread: float) -> object:
    return middle + spread * np.random.default_rng(0).normal(size=count)


@pytest.mark.parametrize(
    ("course", "balance"),
    [
        (looks(5), "unknown"),
        ([], "unknown"),
        (looks(40), "balanced"),
        (looks(40, noisy(40, 0.8, 0.05), noisy(40, 0.7, 0.05), noisy(40, 0.9, 0.12)), "balanced"),  # chance in a batch
        (looks(40, 1.0, 0.99, 0.6), "one-sided"),
        (looks(40, diversity=0.3), "narrow"),
        (looks(40, diversity=np.linspace(0.9, 0.05, 40)), "collapsed"),
        (looks(40, 1.0, 1.0, 0.05), "collapsed"),  # the worst is told
        (looks(40, [1.0, 0.2] * 20, [1.0, 0.3] * 20), "oscillating"),
        (looks(40, diversity=[1.4, 0.5] * 20), "oscillating"),
        (looks(40, np.linspace(0.2, 1.0, 40), np.linspace(0.2, 0.9, 40)), "balanced"),  # a slope is no jump
        (looks(40, coverage=0.0, density=0.0), "balanced"),  # a little off, as a detector's generator is
        (looks(40, coverage=np.nan, density=np.nan), "balanced"),  # too few windows are held out
        (looks(40, coverage=0.25, density=1.0), "narrow"),  # one of four modes
        (looks(40, coverage=np.linspace(0.9, 0.02, 40), density=1.0), "collapsed"),
        (looks(40, coverage=0.5, density=1.0), "balanced"),
        (looks(40, [1.0, 0.1] * 10 + [0.8] * 20, [1.0, 0.1] * 10 + [0.7] * 20), "balanced"),  # learning does not count
    ],
)
def test_the_health_of_a_game_is_told_of_its_second_half(course: list[Look], balance: Balance) -> None:
    game = game_of(course_of(course))
    assert game.balance == balance
    assert game.sentence.endswith(".")
    assert bool(game.advice) == (balance not in ("balanced", "unknown"))


def test_a_course_of_before_coverage_was_known_is_read_as_ever() -> None:
    course = course_of(looks(40, diversity=0.3))
    older = {name: column for name, column in course.items() if name not in AGAINST_HELD_OUT}
    told, game = game_of(course), game_of(older)
    assert (game.balance, game.sentence) == (told.balance, told.sentence)
    assert np.isnan([game.coverage, game.density]).all()


def test_what_is_not_known_is_written_as_json_can() -> None:
    course = course_of(looks(10, coverage=np.nan))
    assert course["coverage"] == [None] * 10
    json.dumps(course, allow_nan=False)


def test_what_may_help_are_keys_of_the_configuration_and_never_what_is_so_already() -> None:
    told = " ".join(ADVICE.values()).replace("{or_critic}", "")
    assert set(re.findall(r"[a-z]+(?:_[a-z]+)+", told)) <= set(GameConfig.model_fields)
    collapsed = course_of(looks(40, diversity=0.01))
    assert 'loss = "wgan-gp"' in game_of(collapsed).advice
    assert "wgan-gp" not in game_of(collapsed, "wgan-gp").advice
    assert "{" not in game_of(collapsed, "wgan-gp").advice


def test_a_critics_hits_say_nothing() -> None:
    course = course_of(looks(40, [1.0, 0.0] * 20, [1.0, 0.0] * 20))
    assert game_of(course).balance == "oscillating"
    assert game_of(course, "wgan-gp").balance == "balanced"
    assert "rightly" not in game_of(course, "wgan-gp").sentence
