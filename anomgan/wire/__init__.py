"""Payload bytes <-> Reading: one dialect per file. No sockets, no clock: the arrival time is an argument."""

from anomgan.wire.dialects import DIALECTS, Decoder, Encoder, encode
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import TopicTemplate, parse_template
from anomgan.wire.values import Decoded

__all__ = ["DIALECTS", "Decoded", "Decoder", "Encoder", "PayloadFormat", "TopicTemplate", "encode", "parse_template"]
