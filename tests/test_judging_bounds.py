"""What the judge believes of time and of how much there is: no event moves its clock far, and its memory has bounds."""

from dataclasses import replace

import pytest
from test_judging import DAY_S, END_S, FLEET, RULES, RUN, WEEK_S, event, fault, incident, judged, states

from anomgan.errors import PayloadError
from anomgan.judging import Judge, Part, Rules, Run


def test_a_given_number_of_devices_is_watched_while_runs_go_on_and_not_between_an_old_one_and_the_next() -> None:
    old = (Run(0.0, 1000.0, FLEET, ended=True), fault(100, 200), event(110, 120))
    new = (Run(9e6, 9e6 + 3000.0, FLEET), fault(9e6 + 100, 9e6 + 200), event(9e6 + 900, 9e6 + 910))
    report = judged(*old, *new, rules=Rules(devices=50))
    assert (report.devices, report.devices_from) == (50, "as given")
    assert report.device_weeks == pytest.approx(50 * 4000.0 / WEEK_S)
    assert report.alarms_per_week == pytest.approx(1 / report.device_weeks)
    report = judged(*old, *new, rules=Rules(warm_up_s=500.0, devices=50))
    assert report.device_weeks == pytest.approx(50 * 3500.0 / WEEK_S)
    assert judged(*old, *new, rules=Rules(devices=50), live=True).device_weeks == 0.0


@pytest.mark.parametrize("live", [False, True])
def test_an_event_moves_now_no_further_than_the_runs_have_come(live: bool) -> None:
    far = event(900, 2e11, "pump-2")
    records = (replace(RUN, until_s=0.0), fault(100, 5000, ended=False), event(110, 150, "cold", state="open"))
    report = judged(*records, far, replace(RUN, until_s=1000.0), live=live)
    assert (report.now_s, states(report)) == (1000.0, ["going on"])
    assert report.device_weeks == pytest.approx(4 * 1000.0 / WEEK_S)
    assert (judged(*records, far, fault(100, 5000)).now_s, judged(far, RUN).now_s) == (5000.0, END_S)


def test_without_a_run_the_far_end_of_an_event_is_a_plan_and_not_now() -> None:
    records = (fault(1000, 2000), event(1500, 1600), event(4000, 9000, "pump-2"))
    assert judged(*records).now_s == 9000.0
    assert judged(*records, event(3000, 2e11)).now_s == 9000.0
    assert judged(*records, event(3000, 2e11)).device_weeks == pytest.approx(2 * 8000.0 / WEEK_S)
    assert judged(event(4000, 2e11), fault(1000, 2000, ended=False)).now_s == 4000.0
    month = 30 * DAY_S
    assert judged(fault(0, 100), event(month, month + 20 * DAY_S)).now_s == month + 20 * DAY_S


def test_what_is_one_too_many_to_remember_is_refused_and_what_is_known_still_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anomgan.judging.judge.MOST", 2)
    judge, outage = Judge(RULES), incident("outage", 5, 6)
    for add, name, known, other in (
        (judge.add_truth, "faults", fault(1, 2, ended=False), fault(5, 6)),
        (judge.add_truth, "incidents", outage, replace(outage, start_s=5.5)),
        (judge.add_event, "events", event(1, 2), event(5, 6)),
    ):
        add(known)
        add(other)
        with pytest.raises(PayloadError, match=f"more than 2 {name}") as refused:
            add(replace(other, start_s=1.5, **({"id": "more"} if name == "events" else {})))
        assert refused.value.reason == f"too_many_{name}"
        add(replace(known, end_s=9.0, **({} if name == "events" else {"ended": True})))
    report = judge.report()
    assert [row.fault.end_s for row in report.rows] == [9.0, 6.0]
    monkeypatch.setattr("anomgan.judging.watched.MOST_RUNS", 1)
    judge.add_truth(RUN)
    judge.add_truth(replace(RUN, until_s=2 * END_S))
    with pytest.raises(PayloadError, match="more than 1 runs"):
        judge.add_truth(replace(RUN, start_s=1.0))
    many = Part("", "pump", "p", 600_000)
    judge = Judge()
    judge.add_truth(Run(0.0, 1.0, (many,)))
    with pytest.raises(PayloadError, match="1,000,000 devices"):
        judge.add_truth(Run(5.0, 6.0, (many,)))


def test_false_alarms_are_given_by_kind_of_device_where_runs_tell_how_long_it_was_watched() -> None:
    told = (fault(100, 200), event(110, 120), event(900, 910), event(3000, 3010, "pump-3"), event(5000, 5010, "cold"))
    wide = event(7000, 7010, "fleet:pumps", site="north", members=3)
    report = judged(RUN, *told, wide)
    assert [(row.kind, row.devices, row.false_alarms) for row in report.alarms_by_kind] == [
        ("cold_store", 1, 1),
        ("pump", 3, 2),
    ]
    cold, pump = report.alarms_by_kind
    assert (cold.a_week, pump.a_week) == pytest.approx((WEEK_S / END_S, 2 * WEEK_S / (3 * END_S)))
    assert pump.low == pytest.approx(0.2422 * WEEK_S / (3 * END_S), rel=1e-3)
    assert pump.device_weeks + cold.device_weeks == pytest.approx(report.device_weeks)
    assert judged(RUN, *told, rules=Rules(devices=9)).alarms_by_kind == judged(*told).alarms_by_kind == ()
