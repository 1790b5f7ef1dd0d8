"""When a connection is given up and when the next is tried: laws of pure steps, over all timings."""

from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.mqtt_pulse import Backoff, Pulse

KEEPALIVE_S = 30.0


def test_a_peer_that_says_nothing_is_given_up_after_one_and_a_half_keepalives() -> None:
    pulse = Pulse(100.0)
    given_up = next(s for s in range(200) if pulse.stopped(100.0 + s, KEEPALIVE_S))
    assert given_up == 45


def test_whoever_answers_in_time_is_never_given_up() -> None:
    pulse = Pulse(0.0)
    for s in range(1000):
        if s % 44 == 0:
            pulse.heard(float(s))
        assert not pulse.stopped(float(s), KEEPALIVE_S)


def test_after_a_pause_of_our_own_the_peer_has_its_time_to_answer() -> None:
    """A process that was stopped for an hour has sent no ping meanwhile; the peer is not to blame."""
    pulse = Pulse(0.0)
    assert not pulse.stopped(3600.0, KEEPALIVE_S)
    assert not pulse.stopped(3614.9, KEEPALIVE_S)
    assert pulse.stopped(3615.0, KEEPALIVE_S)


@given(st.lists(st.tuples(st.floats(0.01, 40.0), st.booleans()), max_size=60), st.floats(1.0, 60.0))
def test_silence_is_told_no_sooner_than_allowed_and_no_later_than_the_second_look_after(
    looks: list[tuple[float, bool]], keepalive_s: float
) -> None:
    pulse, now, heard, asked = Pulse(0.0), 0.0, 0.0, None
    for step, speaks in looks:
        now += step
        if speaks:
            pulse.heard(now)
            heard, asked = now, None
        elif now - heard >= keepalive_s and asked is None:
            asked = now
        expected = asked is not None and now - asked >= keepalive_s / 2
        assert pulse.stopped(now, keepalive_s) == expected
        assert not expected or now - heard >= 1.5 * keepalive_s


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40), st.floats(0.01, 1.0), st.floats(1.0, 60.0))
def test_pauses_double_up_to_the_longest_and_are_drawn_from_their_upper_half(
    draws: list[float], first_s: float, longest_s: float
) -> None:
    dice = iter(draws)
    backoff = Backoff(first_s, longest_s, lambda: next(dice))
    for number in range(len(draws)):
        whole_s = min(first_s * 2**number, longest_s)
        assert whole_s / 2 - 1e-12 <= backoff.pause_s() <= whole_s + 1e-12


def test_two_clients_do_not_come_back_together_and_a_reset_begins_anew() -> None:
    one, other = Backoff(1.0, 60.0), Backoff(1.0, 60.0)
    assert [one.pause_s() for _ in range(8)] != [other.pause_s() for _ in range(8)]
    one.reset()
    assert 0.5 <= one.pause_s() <= 1.0
