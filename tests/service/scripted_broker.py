"""A small MQTT broker that does what real ones do only when they are in trouble, and notes what it is sent."""

import socket
import struct
import threading
from typing import BinaryIO, NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ = 1, 2, 3, 4, 10, 11, 12


class Heard(NamedTuple):
    """A packet that came; topic and payload of a PUBLISH."""

    client: str
    kind: int
    topic: str = ""
    payload: bytes = b""


class ScriptedBroker:
    """Speaks MQTT 5 where `properties` of its CONNACK are given, else 3.1.1; of QoS 0 and 1.

    mute: it answers nothing any more, deaf: not even who connects. most_open: how many messages of one connection it
    has not acknowledged, at most.
    """

    def __init__(self, properties: bytes | None = None) -> None:
        self.mute = self.deaf = False
        self.heard: list[Heard] = []
        self.most_open = 0
        self._properties = properties
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def version(self) -> int:
        """Of MQTT."""
        return 3 if self._properties is None else 5

    def published(self, topic: str) -> list[bytes]:
        """The payloads that came on a topic."""
        return [one.payload for one in list(self.heard) if one.kind == PUBLISH and one.topic == topic]

    def cut(self) -> None:
        """Reset every connection."""
        for one in self._open:
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)
            except OSError:
                continue
        self._open.clear()

    def close(self) -> None:
        """Accept no more, and end what there is."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5.0)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            self._threads.append(threading.Thread(target=self._serve, args=(near,)))
            self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        client, unacknowledged = "", 0
        with near, near.makefile("rb") as stream:
            try:
                while first := stream.read(1):
                    kind, body = first[0] >> 4, stream.read(_length(stream))
                    if kind == CONNECT:
                        client = self._connected(near, body)
                    elif kind == PUBLISH:
                        qos, (topic, mid, payload) = first[0] >> 1 & 3, self._message(first[0], body)
                        self.heard.append(Heard(client, kind, topic, payload))
                        unacknowledged += qos > 0
                        self.most_open = max(self.most_open, unacknowledged)
                        if qos and not self.mute:
                            unacknowledged -= 1
                            near.sendall(bytes([PUBACK << 4, 2]) + mid)
                    else:
                        self.heard.append(Heard(client, kind))
                        if kind == UNSUBSCRIBE and not self.mute:
                            rest = b"" if self.version == 3 else b"\0\0"
                            near.sendall(bytes([UNSUBACK << 4, 2 + len(rest)]) + body[:2] + rest)
            except OSError:
                return

    def _connected(self, near: socket.socket, body: bytes) -> str:
        at = 10 + (0 if self.version == 3 else 1 + body[10])
        client = body[at + 2 : at + 2 + int.from_bytes(body[at : at + 2])].decode()
        self.heard.append(Heard(client, CONNECT))
        rest = b"" if self._properties is None else bytes([len(self._properties)]) + self._properties
        if not self.deaf:
            near.sendall(bytes([CONNACK << 4, 2 + len(rest)]) + b"\0\0" + rest)
        return client

    def _message(self, first: int, body: bytes) -> tuple[str, bytes, bytes]:
        """(topic, message id, payload) of a PUBLISH."""
        at = 2 + int.from_bytes(body[:2])
        topic, mid = body[2:at].decode(), b""
        if first >> 1 & 3:
            mid, at = body[at : at + 2], at + 2
        return topic, mid, body[at if self.version == 3 else at + 1 + body[at] :]


def _length(stream: BinaryIO) -> int:
    length = shift = 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return length
