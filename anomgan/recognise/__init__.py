"""What is on a broker: messages watched for a while -> fleets with topic template, dialect, keys, devices and channels.

Pure and deterministic: what is found depends on the samples alone, in the order in which they came.
"""

from anomgan.recognise.config_file import config_text, count, detect_commands, period_text, train_commands
from anomgan.recognise.findings import ChannelFound, Findings, FleetFound, NotUnderstood
from anomgan.recognise.recognise import recognise
from anomgan.recognise.samples import Sample, Watch

__all__ = [
    "ChannelFound",
    "Findings",
    "FleetFound",
    "NotUnderstood",
    "Sample",
    "Watch",
    "config_text",
    "count",
    "detect_commands",
    "period_text",
    "recognise",
    "train_commands",
]
