"""A privacy report finds generators that copy, by every measure; it finds nothing where nothing was copied, says so
carefully, and refuses where nothing can be said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from privacy_cases import LENGTH, copied, process, samples

from anomgan.errors import DataError
from anomgan.privacy import PrivacyReport, Sample, examine, loose_windows, words
from anomgan.records import Floats

ROWS = 1500


def report(train: Floats, held_out: Floats, made: Floats, seed: int = 0) -> PrivacyReport:
    return examine(*samples(train, held_out, made), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def real() -> tuple[Floats, Floats]:
    """Training and held-out rows of one device."""
    rows = process(2 * ROWS, np.random.default_rng(0))
    return rows[:ROWS], rows[ROWS:]


@pytest.fixture(scope="module")
def leaking(real: tuple[Floats, Floats]) -> PrivacyReport:
    """Of a generator that copies training data with a little noise."""
    return report(*real, copied(real[0], 2 * ROWS, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def honest(real: tuple[Floats, Floats]) -> PrivacyReport:
    """Of fresh draws of the same process."""
    return report(*real, process(ROWS, np.random.default_rng(2)))


def test_a_generator_that_copies_is_found_out_by_every_measure(leaking: PrivacyReport) -> None:
    assert {name: one.verdict for name, one in leaking.measures.items()} == dict.fromkeys(leaking.measures, "leak")
    assert set(leaking.risks) == {"duplicates", *leaking.measures}
    assert leaking.closest.excess > 0.8
    assert np.median(leaking.closest.synthetic) < 0.2 * np.median(leaking.closest.held_out)


def test_fresh_draws_are_not(honest: PrivacyReport) -> None:
    assert (honest.risks, honest.undecided, honest.duplicates.places) == ((), (), ())
    assert all(one.low <= one.expected <= one.high for name, one in honest.measures.items() if "few" not in name)


def test_held_out_data_never_count_as_leaked(real: tuple[Floats, Floats]) -> None:
    found = report(*real, copied(real[1], ROWS, np.random.default_rng(3)))
    assert (found.risks, found.undecided) == ((), ())
    assert found.duplicates.close == 0


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_one_copied_stretch_is_found_and_told_where(real: tuple[Floats, Floats], noise: float) -> None:
    rng = np.random.default_rng(4)
    made = process(ROWS, rng)
    made[600:700] = real[0][321:421] + noise * rng.normal(size=(100, 3))
    found = report(*real, made)
    assert found.risks[0] == "duplicates"
    place = found.duplicates.places[0]
    assert place.synthetic_row - 600 == place.train_row - 321
    assert 600 <= place.synthetic_row < 604
    assert 690 < place.synthetic_row + place.rows <= 700
    assert place.exact == (noise == 0.0)
    assert any("the same" in line or "apart where real windows are" in line for line in words(found))


def test_a_machine_at_rest_copies_nobody() -> None:
    """Half of the time nothing moves, in real and in synthetic data alike: windows repeat exactly."""

    def resting(seed: int) -> Floats:
        rows = process(ROWS, np.random.default_rng(seed))
        for start in range(0, ROWS, 200):
            rows[start : start + 100] = 0.0
        return np.round(rows, 3)

    found = report(resting(5), resting(6), resting(7))
    assert found.risks == ()
    assert found.duplicates.exact == 0


def test_where_held_out_data_come_from_another_state_nothing_is_called_a_leak(real: tuple[Floats, Floats]) -> None:
    """An honest generator of the training data is nearer to them than to data of another state; so are real ones."""
    found = report(real[0], 1.5 * real[1] + 0.7, process(ROWS, np.random.default_rng(8)))
    assert found.risks == ()
    assert found.drifted
    assert "distance to the closest record" in found.undecided
    said = "\n".join(words(found))
    assert "can be told apart by themselves" in said
    assert (
        "No leak found by those of these tests that could tell. That does not make the data safe. It cannot be told"
        in said
    )


def test_an_honest_generator_of_the_same_days_is_not_accused_because_held_out_days_are_others() -> None:
    """The level rises; the generator's data are real ones from between the training data, which it never copied."""
    rng = np.random.default_rng(11)
    rows = process(3 * ROWS, rng) + np.linspace(0.0, 9.0, 3 * ROWS)[:, None]
    turns = np.arange(2 * ROWS) // 100 % 2
    found = report(rows[: 2 * ROWS][turns == 0], rows[2 * ROWS :], rows[: 2 * ROWS][turns == 1])
    assert found.risks == ()
    assert len(found.undecided) > 3


def test_a_discriminator_that_knows_its_windows_gives_them_away(real: tuple[Floats, Floats]) -> None:
    train, held, made = samples(*real, process(ROWS, np.random.default_rng(2)))
    known = {window.tobytes() for window in train.windows}

    def recognise(sample: Sample) -> Floats:
        return np.array([float(window.tobytes() in known) for window in sample.windows])

    found = examine(train, held, made, np.random.default_rng(0), discriminator=recognise)
    assert found.risks == (
        "membership inference, discriminator",
        "membership inference, discriminator, few false alarms",
    )
    with pytest.raises(DataError, match=r"gave scores of shape \(3,\) for"):
        examine(train, held, made, np.random.default_rng(0), discriminator=lambda sample: np.zeros(3))


# ---------------------------------------------------------------- refusals


def test_too_little_data_are_refused_and_it_says_how_much_it_takes(real: tuple[Floats, Floats]) -> None:
    few = 200
    made = process(ROWS, np.random.default_rng(0))
    for rows, kind in (((real[0], real[1][:few], made), "held-out"), ((real[0], real[1], made[:few]), "synthetic")):
        with pytest.raises(DataError, match=rf"too little {kind} data to conclude anything.*at least 336 rows"):
            report(*rows)
    with pytest.raises(DataError, match="too little training data"):
        report(real[0][:few], real[1], made)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_held_out_data_that_were_trained_on_are_refused(real: tuple[Floats, Floats], noise: float) -> None:
    made = process(ROWS, np.random.default_rng(0))
    both = np.concatenate([real[0][-100:], real[1]]) + noise
    with pytest.raises(DataError, match=r"not disjoint.*the first from row 0 on; nothing can be concluded"):
        report(real[0], both, made)
    with pytest.raises(DataError, match="not disjoint"):
        report(real[0], real[0], made)


def test_windows_of_other_shapes_are_refused(real: tuple[Floats, Floats]) -> None:
    train, held = samples(*real)
    with pytest.raises(DataError, match=r"different shapes \(C, L\): \(2, 16\), \(3, 16\)"):
        examine(train, held, Sample(held.windows[:, :2], held.rows), np.random.default_rng(0))
    empty = Sample(np.zeros((0, 3, LENGTH)), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="too little synthetic data"):
        examine(train, held, empty, np.random.default_rng(0))


# ---------------------------------------------------------------- what is said


def test_nothing_is_ever_called_safe(honest: PrivacyReport, leaking: PrivacyReport) -> None:
    for one in (honest, leaking):
        said = "\n".join(words(one))
        assert "They cannot see" in said
        assert said.replace("That does not make the data safe.", "").count("safe") == 0
    assert "No leak found by these tests. That does not make the data safe." in words(honest)
    assert any(line.startswith("Leaks of training data were found by: duplicates; ") for line in words(leaking))
    assert sum(line.endswith("LEAK") for line in words(leaking)) == len(leaking.measures) + 1


def test_all_figures_go_into_json_with_every_risk(honest: PrivacyReport, leaking: PrivacyReport) -> None:
    for one in (honest, leaking):
        figures = json.loads(json.dumps(one.as_dict(), allow_nan=False))
        assert figures["risks"] == list(one.risks)
        assert figures["measures"].keys() == one.measures.keys()


def test_the_same_seed_gives_the_same_report_and_no_window_is_changed(real: tuple[Floats, Floats]) -> None:
    parts = samples(*real, process(ROWS, np.random.default_rng(2)))
    before = [part.windows.copy() for part in parts]
    one, other = (examine(*parts, np.random.default_rng(9)).as_dict() for _ in range(2))
    assert one == other
    assert all(np.array_equal(part.windows, copy) for part, copy in zip(parts, before, strict=True))


def test_windows_made_one_by_one_are_examined_as_well(real: tuple[Floats, Floats]) -> None:
    train, held = samples(*real)
    rng = np.random.default_rng(3)
    chosen = train.windows[rng.choice(len(train), 400, replace=False)]
    made = loose_windows(chosen + 0.005 * rng.normal(size=chosen.shape))
    found = examine(train, held, made, rng)
    assert "distance to the closest record" in found.risks
    assert found.duplicates.close > 350


def test_progress_goes_from_none_to_all(real: tuple[Floats, Floats]) -> None:
    seen: list[tuple[int, int]] = []
    examine(*samples(*real, real[0] + 1.0), np.random.default_rng(0), progress=lambda *at: seen.append(at))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == seen[-1][1]


def test_risks_are_read_off_the_measures(honest: PrivacyReport) -> None:
    leak = replace(honest.closest.share, verdict="leak")
    assert replace(honest, closest=replace(honest.closest, share=leak)).risks == ("distance to the closest record",)
