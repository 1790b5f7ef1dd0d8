"""The protobuf messages of Sparkplug B, as far as readings need them, made at run time.

Fields have the names and numbers of the specification's own schema; those left out are skipped in reading. Values that
are no numbers (data sets, templates) are declared as bytes: that they are there is all that is asked of them. So are
texts, because protobuf's implementations differ in what they make of one that is no UTF-8. Nothing is generated at
build time, and protobuf is imported when the first Sparkplug payload comes, for that takes a while.
"""

from functools import cache
from typing import Any, NamedTuple

_SCALAR = {"double": 1, "float": 2, "uint64": 4, "bool": 8, "message": 11, "bytes": 12, "uint32": 13}
"""protobuf's own numbers of its types"""
_VALUE = "value"
"""fields of which a message has at most one: a `oneof`"""

_MESSAGES: dict[str, dict[int, tuple[str, str, str]]] = {
    "Payload": {
        1: ("timestamp", "uint64", ""),
        2: ("metrics", "Metric", "repeated"),
        3: ("seq", "uint64", ""),
        4: ("uuid", "bytes", ""),
    },
    "Metric": {
        1: ("name", "bytes", ""),
        2: ("alias", "uint64", ""),
        3: ("timestamp", "uint64", ""),
        4: ("datatype", "uint32", ""),
        5: ("is_historical", "bool", ""),
        7: ("is_null", "bool", ""),
        9: ("properties", "PropertySet", ""),
        10: ("int_value", "uint32", _VALUE),
        11: ("long_value", "uint64", _VALUE),
        12: ("float_value", "float", _VALUE),
        13: ("double_value", "double", _VALUE),
        14: ("boolean_value", "bool", _VALUE),
        15: ("string_value", "bytes", _VALUE),
        16: ("bytes_value", "bytes", _VALUE),
        17: ("dataset_value", "bytes", _VALUE),
        18: ("template_value", "bytes", _VALUE),
    },
    "PropertySet": {
        1: ("keys", "bytes", "repeated"),
        2: ("values", "PropertyValue", "repeated"),
    },
    "PropertyValue": {
        1: ("type", "uint32", ""),
        2: ("is_null", "bool", ""),
        3: ("int_value", "uint32", _VALUE),
        4: ("long_value", "uint64", _VALUE),
        8: ("string_value", "bytes", _VALUE),
    },
}
"""message -> number -> (name, type, "" for optional)"""


class Schema(NamedTuple):
    """The class of a payload, and what it raises for bytes that are none."""

    payload: Any
    error: type[Exception]


@cache
def schema() -> Schema:
    """The schema, made on the first call."""
    from google.protobuf import (  # type: ignore[import-untyped]  # messages made at run time have no types anyway
        descriptor_pb2,
        descriptor_pool,
        message,
        message_factory,
    )

    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="sparkplug_b", syntax="proto2")
    for message_name, fields in _MESSAGES.items():
        shape = file.message_type.add(name=message_name)
        for number, (name, kind, role) in fields.items():
            field = shape.field.add(name=name, number=number, label=3 if role == "repeated" else 1)
            field.type = _SCALAR.get(kind, _SCALAR["message"])
            if kind in _MESSAGES:
                field.type_name = f".sparkplug_b.{kind}"
            if role == _VALUE:
                if not shape.oneof_decl:
                    shape.oneof_decl.add(name=_VALUE)
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    payload = message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug_b.Payload"))
    return Schema(payload, message.DecodeError)
