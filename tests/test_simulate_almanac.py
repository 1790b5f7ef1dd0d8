"""What time it is for a simulated device."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import parse_config
from anomgan.errors import ConfigError
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.scenario import ClockConfig

BERLIN = "Europe/Berlin"


def seconds(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]  # year, month, day, hour, ...


@given(st.floats(0.0, 4e9), st.sampled_from(["UTC", BERLIN, "Australia/Lord_Howe", "America/St_Johns"]))
def test_it_is_what_the_calendar_says(start_s: float, zone: str) -> None:
    since_s = np.array([0.0, 1800.0, 7200.0, 200_000.0])
    found = moments(start_s, zone, TRUE_DAY_S, since_s)
    for i, since in enumerate(since_s.tolist()):
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=start_s + since)).astimezone(ZoneInfo(zone))
        of_day = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        assert abs((found.clock_s[i] - of_day + 1.0) % TRUE_DAY_S - 1.0) < 1e-3
        assert found.weekday[i] == local.weekday()
        begins = datetime(local.year, 1, 1)
        length = datetime(local.year + 1, 1, 1) - begins
        assert abs(found.year[i] - (local.replace(tzinfo=None) - begins) / length) < 1e-7


def test_summer_time_skips_an_hour_and_the_clock_goes_on_over_midnight() -> None:
    start_s = seconds(2024, 3, 30, 23)  # midnight in Berlin; the clocks change at 01:00 UTC
    hours = moments(start_s, BERLIN, TRUE_DAY_S, np.array([0.0, 1.5, 2.5, 24.0]) * 3600).clock_s / 3600
    np.testing.assert_allclose(hours, [0.0, 1.5, 3.5, 25.0])


@pytest.mark.parametrize("day_s", [TRUE_DAY_S, 900.0])
def test_universal_time_passes_evenly_and_is_the_same_everywhere(day_s: float) -> None:
    start_s, since_s = seconds(2024, 3, 30, 23), np.array([0.0, 1.5, 2.5, 24.0]) * 3600
    for zone in ("UTC", BERLIN, "Asia/Tokyo"):
        found = moments(start_s, zone, day_s, since_s).universal_s
        np.testing.assert_allclose(found, start_s % day_s + since_s)


def test_runs_begun_whole_days_apart_in_utc_are_told_the_same_time_to_the_bit() -> None:
    since_s = np.arange(0.0, 5000.0, 0.7)
    one, other = (moments(seconds(2024, 1, day), "UTC", TRUE_DAY_S, since_s).clock_s for day in (1, 9))
    assert (one == other).all()


def test_short_days_make_a_short_week() -> None:
    found = moments(seconds(2024, 1, 1), "UTC", 600.0, np.arange(0.0, 7 * 600.0, 300.0))
    assert found.weekday.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    np.testing.assert_allclose(found.days % 1.0, [0.0, 0.5] * 7)
    assert 6.0 / 366 < found.year[-1] < 7.0 / 365


def test_an_unknown_zone_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"zone: .*no such time zone: 'Berlin'"):
        parse_config(ClockConfig, {"zone": "Berlin"}, "plant.toml")
