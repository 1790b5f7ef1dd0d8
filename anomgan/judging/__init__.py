"""A detector judged by what it tells and by what was truly wrong, while both come in.

judge = Judge(Rules(grace_s=60.0))
judge.add_truth(decode_truth(payload))
judge.add_event(decode_event(payload))
judge.report().figures()
"""

from anomgan.judging.heard import decode_event, decode_truth
from anomgan.judging.judge import Judge, Rules
from anomgan.judging.report import AlarmRow, FaultRow, KindRow, Report
from anomgan.judging.told import Part, Run, ToldEvent, TrueFault

__all__ = [
    "AlarmRow",
    "FaultRow",
    "Judge",
    "KindRow",
    "Part",
    "Report",
    "Rules",
    "Run",
    "ToldEvent",
    "TrueFault",
    "decode_event",
    "decode_truth",
]
