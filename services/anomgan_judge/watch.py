"""The loop: messages from a broker -> the judge, and now and then the state so far."""

import time
from collections.abc import Callable
from threading import Event

from anomgan.adapters.mqtt_session import passing_session
from anomgan.config import BrokerConfig
from anomgan_judge.hearing import Hearing, Topics

LINGER_S = 10.0
"""of silence after a run has ended; a detector may have something left to say"""
STEP_S = 0.5
LIMIT = 5_000
SHARE_OF_SHOWING = 0.1
"""of the time at most; where very much was heard, how it stands takes seconds to count"""


def watch(
    broker: BrokerConfig,
    topics: Topics,
    hearing: Hearing,
    stop: Event,
    show: Callable[[str], None],
    *,
    for_s: float | None,
    every_s: float,
    until_over: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> list[str]:
    """Listen for a time, to the end of the run, or until told to stop; what the report should warn of.

    `ready` is called when nothing can be missed any more, and `show` every `every_s`, or more seldom where that takes
    long, with why there is no connection, "" where there is one. Raises Unreachable or Refused where there is none at
    the start; a connection that is lost later comes back by itself.
    """
    begun_s = shown_s = heard_s = time.monotonic()
    pause_s = every_s
    with passing_session(broker, [(one, 1) for one in topics.filters], "anomgan-judge") as source:
        ready()
        while not stop.is_set():
            now_s = time.monotonic()
            if for_s is not None and now_s - begun_s >= for_s:
                break
            if until_over and hearing.over and now_s - heard_s >= LINGER_S and source.connected:
                break
            left_s = STEP_S if for_s is None else max(min(STEP_S, begun_s + for_s - now_s), 0.0)
            messages = source.receive(LIMIT, left_s)
            for message in messages:
                hearing.message(topics, message)
            source.acknowledge(messages)
            now_s = time.monotonic()
            heard_s = now_s if messages else heard_s
            if now_s - shown_s >= pause_s:
                show(source.reason)
                shown_s = time.monotonic()
                pause_s = max(every_s, (shown_s - now_s) / SHARE_OF_SHOWING)
        (standing,) = source.liveness()
        warnings = [] if standing.connected else [f"{standing.reason}; what was told since then is missing"]
        if standing.connections > 1:
            warnings.append(f"the connection was lost and made again, {standing.connections - 1} times")
        if standing.forgotten:
            warnings.append(f"the broker had forgotten the session {standing.forgotten} times; something is missing")
    return warnings
