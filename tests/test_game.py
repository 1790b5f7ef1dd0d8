"""The course of a game is kept short, and its health is what the monitors of training know."""

from dataclasses import dataclass

import numpy as np
import pytest

from anomgan.game import CURVES, MOST_POINTS, Balance, course_of, game_of


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


def looks(count: int, real: object = 0.8, made: object = 0.7, diversity: object = 0.9) -> list[Look]:
    columns = [np.broadcast_to(np.asarray(column, np.float64), count) for column in (real, made, diversity)]
    return [
        Look(25 * (i + 1), accuracy_real=r, accuracy_generated=m, diversity=d)
        for i, (r, m, d) in enumerate(zip(*columns, strict=True))
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 199, 200, 201, 12_345])
def test_a_course_keeps_its_first_and_last_look_and_is_never_long(count: int) -> None:
    course = course_of(looks(count))
    assert set(course) == {"step", *CURVES}
    assert {len(column) for column in course.values()} == {min(count, MOST_POINTS)}
    assert course["step"] == sorted(set(course["step"]))
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
        (looks(40, [1.0, 0.1] * 10 + [0.8] * 20, [1.0, 0.1] * 10 + [0.7] * 20), "balanced"),  # learning does not count
    ],
)
def test_the_health_of_a_game_is_told_of_its_second_half(course: list[Look], balance: Balance) -> None:
    game = game_of(course_of(course))
    assert game.balance == balance
    assert game.sentence.endswith(".")


def test_a_critics_hits_say_nothing() -> None:
    course = course_of(looks(40, [1.0, 0.0] * 20, [1.0, 0.0] * 20))
    assert game_of(course).balance == "oscillating"
    assert game_of(course, "wgan-gp").balance == "balanced"
    assert "rightly" not in game_of(course, "wgan-gp").sentence
