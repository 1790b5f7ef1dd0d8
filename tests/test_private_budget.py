"""What looks at private data cost: Opacus' accountant, and noise that stays within an epsilon."""

import pytest
from opacus.accountants import RDPAccountant

from anomgan.errors import ConfigError
from anomgan.synthesis.budget import Look, noise_for, spent

DELTA = 1e-5


@pytest.mark.parametrize("look", [Look(1.1, 0.02, 300), Look(4.0, 1.0, 2), Look(2.0, 0.3, 50)])
def test_what_was_spent_is_what_opacus_says_step_by_step(look: Look) -> None:
    theirs = RDPAccountant()
    for _ in range(look.times):
        theirs.step(noise_multiplier=look.noise_multiplier, sample_rate=look.rate)
    assert spent([look], DELTA) == pytest.approx(theirs.get_epsilon(DELTA), rel=1e-6)


def test_looks_of_different_noise_add_up() -> None:
    theirs = RDPAccountant()
    looks = [Look(6.0, 1.0, 2), Look(1.2, 0.05, 100)]
    for look in looks:
        for _ in range(look.times):
            theirs.step(noise_multiplier=look.noise_multiplier, sample_rate=look.rate)
    assert spent(looks, DELTA) == pytest.approx(theirs.get_epsilon(DELTA), rel=1e-6)
    assert max(spent([look], DELTA) for look in looks) < spent(looks, DELTA)
    assert spent(looks, DELTA) < sum(spent([look], DELTA) for look in looks)
    assert spent([*looks, Look(1.0, 0.1, 0)], DELTA) == spent(looks, DELTA)


def test_one_release_costs_about_what_the_gaussian_mechanism_is_known_to() -> None:
    """Dwork & Roth 2014, theorem A.1: noise of sqrt(2 ln(1.25 / delta)) / epsilon is enough for an epsilon below 1."""
    epsilon = 0.5
    enough = (2.0 * 11.736) ** 0.5 / epsilon
    assert 0.7 * epsilon < spent([Look(enough, 1.0, 1)], DELTA) <= epsilon


@pytest.mark.parametrize("epsilon", [0.05, 1.0, 4.0, 50.0])
@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_the_noise_found_is_the_least_that_stays_within_epsilon(epsilon: float, rate: float) -> None:
    before = [Look(noise_for(0.2 * epsilon, DELTA, 1.0, 2), 1.0, 2)]
    noise = noise_for(epsilon, DELTA, rate, 100, before)
    assert spent([*before, Look(noise, rate, 100)], DELTA) <= epsilon
    assert spent([*before, Look(0.99 * noise, rate, 100)], DELTA) > epsilon


def test_where_nothing_is_left_no_noise_is_enough() -> None:
    with pytest.raises(ConfigError, match="epsilon = 1 with delta = 1e-05: no amount of noise is enough"):
        noise_for(1.0, DELTA, 0.01, 100, [Look(0.5, 1.0, 10)])
