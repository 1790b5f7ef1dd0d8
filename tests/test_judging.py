"""The judge: what counts as found, what as false, and for how long devices were watched; in any order, told twice."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import ConfigError
from anomgan.judging import Judge, Part, Report, Rules, Run, ToldEvent, TrueFault

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
END_S = 10_000.0
FLEET = (Part("north", "pump", "pump-", 3), Part("south", "cold_store", "cold"))
RUN = Run(0.0, END_S, FLEET)
RULES = Rules(grace_s=60.0)


def fault(start_s: float, end_s: float, device: str = "pump-1", **changes: Any) -> TrueFault:
    site = "south" if device == "cold" else "north"
    return replace(TrueFault(site, device, "leak", ("flow",), start_s, end_s, 1.0, ended=True), **changes)


def event(start_s: float, end_s: float, device: str = "pump-1", **changes: Any) -> ToldEvent:
    site = "south" if device == "cold" else "north"
    plain = ToldEvent(f"{device}@{start_s:g}", site, device, "closed", start_s, end_s, channels=("flow", "speed"))
    return replace(plain, **changes)


def judged(*records: TrueFault | ToldEvent | Run, rules: Rules = RULES, live: bool = False) -> Report:
    judge = Judge(rules, live=live)
    for record in records:
        if isinstance(record, ToldEvent):
            judge.add_event(record)
        else:
            judge.add_truth(record)
    return judge.report()


def states(report: Report) -> list[str]:
    """What became of each fault, in order of time."""
    return [row.aside or ("found" if row.event else "missed") for row in report.rows]


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ((100, 110), True),
        ((80, 100), True),
        ((80, 99), False),
        ((260, 270), True),
        ((261, 270), False),
        ((0, 999), True),
    ],
)
def test_an_event_finds_a_fault_that_it_overlaps_up_to_the_grace(span: tuple[float, float], found: bool) -> None:
    report = judged(RUN, fault(100, 200), event(*span))
    assert states(report) == ["found" if found else "missed"]
    assert (report.hits, len(report.false_alarms)) == ((1, 0) if found else (0, 1))


def test_an_event_finds_faults_of_its_own_device_only() -> None:
    report = judged(RUN, fault(100, 200), event(100, 150, "pump-2"), event(100, 150, site="south"))
    assert states(report) == ["missed"]
    assert len(report.false_alarms) == 2


def test_several_events_on_a_fault_are_one_hit_and_repeats_and_one_event_may_find_two_faults() -> None:
    report = judged(RUN, fault(100, 200), event(110, 120), event(130, 140), event(150, 160))
    assert (report.total.found, report.hits, report.repeats) == (1, 3, 2)
    assert report.rows[0].delay_s == 10
    report = judged(RUN, fault(100, 200), fault(300, 400), event(150, 350))
    assert (report.total.found, report.hits, report.repeats, report.total.already_open) == (2, 1, 0, 1)
    assert [row.delay_s for row in report.rows] == [50, 0]


def test_the_figures_follow_from_the_counts() -> None:
    report = judged(
        *(RUN, fault(100, 200), fault(300, 400), fault(500, 600), fault(700, 800)),
        *(
            event(110, 120),
            event(330, 340),
            event(350, 360),
            event(560, 570),
            event(900, 910),
            event(2000, 2010, "cold"),
        ),
    )
    assert report.total.recall == 3 / 4
    assert report.precision == 4 / 6
    assert report.f1 == pytest.approx(2 * (3 / 4) * (4 / 6) / (3 / 4 + 4 / 6))
    assert (report.total.median_delay_s, report.total.p90_delay_s) == (30, pytest.approx(54))
    assert report.device_weeks == pytest.approx(4 * END_S / WEEK_S)
    assert report.alarms_per_week == pytest.approx(2 / (4 * END_S / WEEK_S))
    assert report.alarms_per_week_low == pytest.approx(0.2422 / report.device_weeks, rel=1e-3)
    assert report.alarms_per_week_high == pytest.approx(7.2247 / report.device_weeks, rel=1e-3)
    assert (report.devices, report.devices_from) == (4, "as the truth tells")


def test_figures_are_given_by_kind_of_fault_and_of_device() -> None:
    report = judged(
        *(RUN, fault(100, 200, kind="leak"), fault(300, 400, kind="wear"), fault(100, 200, "cold", kind="leak")),
        *(event(110, 120), event(130, 140, "cold")),
    )
    assert [(row.kind, row.found, row.faults) for row in report.kinds] == [("leak", 2, 2), ("wear", 0, 1)]
    assert [(row.kind, row.found, row.faults) for row in report.device_kinds] == [("cold_store", 1, 1), ("pump", 1, 2)]
    assert report.kinds[0].median_delay_s == 20
    assert report.kinds[1].median_delay_s is None


def test_the_first_channel_of_the_event_has_to_be_one_of_the_faults() -> None:
    report = judged(
        *(RUN, fault(100, 200), fault(300, 400), fault(500, 600, channels=()), fault(700, 800)),
        *(event(110, 120), event(310, 320, channels=("speed", "flow")), event(510, 520), event(710, 720, channels=())),
    )
    assert [row.named for row in report.rows] == [True, False, None, None]
    assert (report.total.named, report.total.nameable) == (1, 2)


def test_a_fault_that_goes_on_does_not_count_yet_nor_do_events_on_it_count_as_false() -> None:
    records = (replace(RUN, until_s=150.0), fault(100, 200, ended=False), event(110, 120))
    report = judged(*records)
    assert (states(report), report.going_on, report.set_aside) == (["going on"], 1, 1)
    assert (report.total.faults, report.hits, len(report.false_alarms)) == (0, 0, 0)
    assert report.rows[0].event is not None
    report = judged(*records, replace(RUN, until_s=250.0))
    assert (states(report), report.hits, report.set_aside) == (["found"], 1, 0)


def test_what_begins_in_the_warm_up_is_set_aside_and_its_time_does_not_count() -> None:
    records = (RUN, fault(100, 1100), fault(2000, 2100), event(120, 130), event(300, 310, "cold"), event(2010, 2020))
    report = judged(*records, event(5000, 5010), rules=Rules(60.0, warm_up_s=1000.0))
    assert states(report) == ["warm-up", "found"]
    assert (report.in_warm_up, report.hits, report.set_aside, len(report.false_alarms)) == (1, 1, 2, 1)
    assert report.device_weeks == pytest.approx(4 * 9000.0 / WEEK_S)


def test_who_listens_later_counts_from_then_and_not_what_was_before() -> None:
    late = (replace(RUN, until_s=4000.0), fault(100, 4500), fault(5000, 5100), event(200, 4600), event(5010, 5020), RUN)
    report = judged(*late, live=True)
    assert states(report) == ["warm-up", "found"]
    assert report.device_weeks == pytest.approx(4 * 6000.0 / WEEK_S)
    assert judged(*late, live=False).device_weeks == pytest.approx(4 * END_S / WEEK_S)


def test_a_run_in_stretches_counts_every_moment_once() -> None:
    stretches = (Run(0.0, 3000.0, FLEET), Run(2000.0, 5000.0, FLEET), Run(8000.0, 9000.0, FLEET))
    assert judged(*stretches).device_weeks == pytest.approx(4 * 6000.0 / WEEK_S)


def test_without_a_run_devices_are_as_given_or_those_that_are_named() -> None:
    records = (fault(1000, 2000), event(1500, 1600), event(4000, 5000, "pump-2"))
    report = judged(*records)
    assert (report.devices, report.devices_from) == (2, "those that were named")
    assert report.device_weeks == pytest.approx(2 * 4000.0 / WEEK_S)
    report = judged(*records, rules=Rules(devices=50))
    assert (report.devices, report.devices_from) == (50, "as given")
    assert report.device_weeks == pytest.approx(50 * 4000.0 / WEEK_S)


def test_an_open_event_lasts_until_now() -> None:
    records = (fault(100, 200), fault(5000, 5100), event(110, 118, state="open", told_s=118.0))
    report = judged(replace(RUN, until_s=6000.0), *records)
    assert states(report) == ["found", "found"]
    assert report.total.already_open == 1
    assert [row.told_after_s for row in report.rows] == [18, 0]


def test_a_fleet_wide_event_counts_for_every_fault_of_its_site_and_is_one_false_alarm_on_none() -> None:
    many = event(110, 120, "fleet:pumps", site="north", members=3)
    report = judged(RUN, fault(100, 200), fault(105, 200, "pump-2"), fault(100, 200, "cold"), many)
    assert {row.fault.device for row in report.rows if row.event} == {"pump-1", "pump-2"}
    assert (report.hits, report.repeats) == (1, 0)
    report = judged(RUN, fault(100, 200), fault(100, 200, "cold"), replace(many, start_s=1000, end_s=1010))
    assert (report.hits, len(report.false_alarms)) == (0, 1)
    assert len(judged(RUN, replace(many, start_s=1000, end_s=1010)).false_alarms) == 1


def test_what_was_told_as_muted_only_does_not_count() -> None:
    report = judged(RUN, fault(100, 200), event(110, 120, state="muted", alarm=False), event(900, 990, alarm=False))
    assert (states(report), report.muted, len(report.false_alarms)) == (["missed"], 2, 0)
    both = (event(110, 118, state="open", told_s=118), event(110, 130, state="muted", alarm=False))
    assert states(judged(RUN, fault(100, 200), *both)) == ["found"]


def incident(kind: str, start_s: float, end_s: float, device: str = "pump-1") -> TrueFault:
    return fault(start_s, end_s, device, kind=kind, channels=(), domain="network")


def test_what_befalls_the_network_is_no_fault_and_an_event_on_it_alone_is_false() -> None:
    outage = incident("outage", 100, 200)
    report = judged(RUN, outage, event(150, 160), event(150, 160, "pump-2"), incident("reboot", 9000, float("inf")))
    assert (report.total.faults, len(report.rows), report.incidents, len(report.false_alarms)) == (0, 0, 2, 2)
    assert dict(zip([one.device for one in report.false_alarms], report.during, strict=True)) == {
        "pump-1": "outage",
        "pump-2": "",
    }
    report = judged(RUN, outage, fault(150, 250), event(160, 170))
    assert (states(report), report.false_alarms) == (["found"], ())


def test_a_device_counts_while_it_is_there_and_its_warm_up_begins_when_it_joins() -> None:
    joins, leaves = incident("absent", 0, 4000), incident("absent", 9000, float("inf"), "pump-2")
    assert judged(RUN, joins, leaves).device_weeks == pytest.approx((2 * END_S + 6000 + 9000) / WEEK_S)
    away = incident("absent", 5000, 6000, "cold")
    assert judged(RUN, away, Run(0.0, 5500.0, FLEET)).device_weeks == pytest.approx((3 * END_S + 9000) / WEEK_S)
    report = judged(RUN, joins, fault(4100, 4200), fault(5200, 5300), rules=Rules(60.0, warm_up_s=1000.0))
    assert states(report) == ["warm-up", "missed"]
    assert report.device_weeks == pytest.approx((3 * 9000 + 5000) / WEEK_S)


def test_a_site_that_only_one_side_knows_is_no_hindrance_where_the_device_is_unique() -> None:
    assert states(judged(RUN, fault(100, 200), event(110, 120, site=""))) == ["found"]
    assert states(judged(RUN, fault(100, 200), event(110, 120, site=None))) == ["found"]
    assert states(judged(fault(100, 200, site=""), event(110, 120, site="factory"))) == ["found"]
    twice = (fault(100, 200), fault(100, 200, site="west"), event(110, 120, site=""))
    assert states(judged(*twice)) == ["missed", "missed"]


def test_nothing_heard_is_a_report_too() -> None:
    report = judged()
    assert (report.now_s, report.total.recall, report.precision, report.f1) == (None, None, None, None)
    assert report.figures()["false_alarms"] == 0


def test_recall_and_precision_of_nothing_right_are_0_not_an_error() -> None:
    report = judged(RUN, fault(100, 200), event(900, 910))
    assert (report.total.recall, report.precision, report.f1) == (0.0, 0.0, 0.0)


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in ({"grace_s": -1.0}, {"warm_up_s": float("nan")}, {"devices": 0}):
        with pytest.raises(ConfigError):
            Rules(**wrong)


# ---------------------------------------------------------------- order, repetition and a naive twin

TIMES = st.integers(0, 40).map(lambda tens: tens * 25.0)
DEVICES = st.sampled_from(["pump-1", "pump-2", "cold"])


@st.composite
def tellings(draw: st.DrawFn, *, distinct: bool = False) -> list[TrueFault | ToldEvent | Run]:
    """Faults with begin and end, events told once or several times; where they are not distinct, they may disagree."""
    spans = st.lists(
        st.tuples(TIMES, TIMES, DEVICES), max_size=6, unique_by=(lambda one: (one[0], one[2])) if distinct else None
    )
    records: list[TrueFault | ToldEvent | Run] = [RUN, replace(RUN, until_s=0.0)]
    for start_s, length_s, device in draw(spans):
        whole = fault(start_s, start_s + length_s, device)
        records += [whole, *([replace(whole, ended=False)] if draw(st.booleans()) else [])]
    for start_s, length_s, device in draw(spans):
        whole = event(start_s, start_s + length_s, device)
        opened = replace(whole, state="open", end_s=start_s + length_s / 2, told_s=start_s + length_s / 2)
        records += [whole, *([opened] if draw(st.booleans()) else [])]
    return records


@given(records=tellings(), seed=st.integers(0, 99))
def test_the_order_of_records_and_their_repetition_change_nothing(
    records: list[TrueFault | ToldEvent | Run], seed: int
) -> None:
    shuffled = [*records, *records[::2]]
    random.Random(seed).shuffle(shuffled)
    assert judged(*shuffled) == judged(*records)


@given(records=tellings(distinct=True))
def test_the_judge_counts_what_a_naive_count_counts(records: list[TrueFault | ToldEvent | Run]) -> None:
    faults = {one.key: one for one in records if isinstance(one, TrueFault)}.values()
    events = {one.key: one for one in records if isinstance(one, ToldEvent) and one.state == "closed"}.values()

    def on(one: ToldEvent, true: TrueFault) -> bool:
        same = (one.site, one.device) == (true.site, true.device)
        return same and one.start_s <= true.end_s + 60.0 and one.end_s >= true.start_s

    found = [true for true in faults if any(on(one, true) for one in events)]
    hits = [one for one in events if any(on(one, true) for true in faults)]
    report = judged(*records)
    assert (report.total.faults, report.total.found) == (len(faults), len(found))
    assert (report.hits, len(report.false_alarms)) == (len(hits), len(events) - len(hits))
    for row in report.rows:
        starts = [one.start_s for one in events if on(one, row.fault)]
        assert row.delay_s == (max(0.0, min(starts) - row.fault.start_s) if starts else None)
