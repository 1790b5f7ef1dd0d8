"""A device's health as others read it: JSON on MQTT and line protocol."""

import json

from store_records import NAN, health, issue

from anomgan.records import HEALTH_COUNTS
from anomgan.wire.event_json import event_topic
from anomgan.wire.health_json import encode_health
from anomgan.wire.line_protocol import health_line, issue_line


def test_the_json_says_what_is_wrong_and_since_when() -> None:
    told = json.loads(encode_health(health(1_700_000_000.0, issue(1_699_999_000.5))))
    assert (told["ok"], told["device"], told["site"], told["stuck"]) == (False, "p1", "north", 1)
    assert told["time"] == "2023-11-14T22:13:20Z"
    (reason,) = told["issues"]
    assert reason["since"] == "2023-11-14T21:56:40.500000Z"
    assert reason["reason"] == 'flow has read 3 "again" and again'
    assert told.keys() >= set(HEALTH_COUNTS)


def test_where_nothing_is_wrong_it_says_so_and_what_is_unknown_is_null() -> None:
    told = json.loads(encode_health(health(silent_s=NAN)))
    assert (told["ok"], told["issues"], told["silent_s"]) == (True, [], None)


def test_the_topic_leaves_out_a_site_that_is_none() -> None:
    assert event_topic("anomgan/{site}/{device}/health", health()) == "anomgan/north/p1/health"
    assert event_topic("anomgan/{site}/{device}/health", health(site="")) == "anomgan/p1/health"


def test_lines_carry_identity_as_tags_and_all_else_as_fields() -> None:
    assert health_line(health(120.0, issue(), silent_s=NAN)) == (
        "device_health,site=north,device=p1,model=pump skew_s=-0.25,stuck=1i,out_of_range=0i,unit_jump=0i,new_state=0i,"
        "missing=0i,duplicate=7i,out_of_order=0i,late=2i,ahead=0i,counter_resets=1i,open=1i,"
        'reasons="flow has read 3 \\"again\\" and again" 120000000'
    )
    assert issue_line(issue(channel="", model="")) == (
        'device_issue,site=north,device=p1,kind=stuck id="north/p1:flow:stuck@100",state="open",'
        'reason="flow has read 3 \\"again\\" and again",start=100.5,end=110.5 100500000'
    )
