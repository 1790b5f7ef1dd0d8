"""The sun rises, culminates and sets where and when the almanac says."""

from datetime import UTC, datetime

import numpy as np
import pytest

from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, moments
from anomgan.simulate.sun import sun


def day_of(year: int, month: int, day: int, period_s: float = 60.0) -> Moments:
    start_s = datetime(year, month, day, tzinfo=UTC).timestamp()
    return moments(start_s, "UTC", TRUE_DAY_S, np.arange(0.0, TRUE_DAY_S, period_s))


JUNE, MARCH, DECEMBER = day_of(2024, 6, 21), day_of(2024, 3, 20), day_of(2024, 12, 21)


def sky(latitude_deg: float, when: Moments, longitude_deg: float = 0.0) -> Floats:
    """(R,) sine of the sun's height."""
    angles = [np.radians([angle]) for angle in (latitude_deg, longitude_deg, 0.0, 180.0)]
    return sun(*angles, when).height[:, 0]


@pytest.mark.parametrize(
    ("latitude", "when", "hours"),
    [(0, JUNE, 12.0), (0, DECEMBER, 12.0), (48, JUNE, 15.9), (48, MARCH, 12.0), (48, DECEMBER, 8.1), (-34, JUNE, 9.75)],
)
def test_days_are_as_long_as_the_almanac_says(latitude: float, when: Moments, hours: float) -> None:
    assert np.mean(sky(latitude, when) > 0) * 24.0 == pytest.approx(hours, abs=0.15)


def test_beyond_the_polar_circle_there_are_days_without_night_and_without_day() -> None:
    assert sky(72.0, JUNE).min() > 0
    assert sky(72.0, DECEMBER).max() < 0


@pytest.mark.parametrize(("when", "height"), [(JUNE, 90 - 48 + 23.44), (MARCH, 90 - 48), (DECEMBER, 90 - 48 - 23.44)])
def test_at_noon_the_sun_stands_as_high_as_latitude_and_declination_say(when: Moments, height: float) -> None:
    assert np.degrees(np.arcsin(sky(48.0, when).max())) == pytest.approx(height, abs=0.4)


def test_noon_comes_earlier_in_the_east_and_differs_from_twelve_by_the_equation_of_time() -> None:
    def noon(when: Moments, longitude_deg: float = 0.0) -> float:
        return float(when.universal_s[sky(48.0, when, longitude_deg).argmax()] / 3600.0)

    assert noon(JUNE) - noon(JUNE, 15.0) == pytest.approx(1.0, abs=0.02)
    assert (12.0 - noon(day_of(2024, 11, 3))) * 60.0 == pytest.approx(16.4, abs=1.0)
    assert (12.0 - noon(day_of(2024, 2, 11))) * 60.0 == pytest.approx(-14.2, abs=1.0)


def test_the_sun_knows_no_summer_time() -> None:
    change = datetime(2024, 3, 30, 23, tzinfo=UTC).timestamp()  # midnight in Berlin; an hour is left out at 01:00 UTC
    berlin, utc = (
        moments(change, zone, TRUE_DAY_S, np.arange(0.0, 6 * 3600, 60.0)) for zone in ("Europe/Berlin", "UTC")
    )
    np.testing.assert_allclose(sky(48.0, berlin), sky(48.0, utc), atol=2e-3)
