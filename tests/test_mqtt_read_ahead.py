"""Reading ahead: the bytes are the same however they are asked for, for far fewer system calls."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.mqtt_read_ahead import AHEAD, ReadAhead


class Counted:
    """A real socket that counts how often it is asked."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.asked = 0

    def recv(self, size: int) -> bytes:
        """As a socket does."""
        self.asked += 1
        return self.sock.recv(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self.sock, name)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Counted]]:
    far, near = socket.socketpair()
    near.setblocking(False)
    yield far, Counted(near)
    far.close()
    near.close()


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=60), cut=st.integers(1, 5_000))
def test_all_bytes_come_once_and_in_order(sizes: list[int], cut: int) -> None:
    far, near = socket.socketpair()
    with far, near:
        near.setblocking(False)
        sock, sent = ReadAhead(near), bytes(i % 251 for i in range(sum(sizes)))
        got = b""
        for at in range(0, len(sent), cut):
            far.sendall(sent[at : at + cut])
            for size in sizes:
                try:
                    piece = sock.recv(size)
                except BlockingIOError:
                    break
                assert 0 < len(piece) <= size
                got += piece
        while sock.pending():
            got += sock.recv(7)
        try:
            while True:
                got += sock.recv(100)
        except BlockingIOError:
            pass
        assert got == sent


def test_many_small_pieces_are_one_question_to_the_system(ends: tuple[socket.socket, Counted]) -> None:
    far, near = ends
    far.sendall(b"x" * 3_000)
    sock = ReadAhead(near)
    assert b"".join(sock.recv(1) for _ in range(3_000)) == b"x" * 3_000
    assert near.asked == 1
    assert sock.pending() == 0


def test_what_is_read_ahead_is_pending_and_a_large_piece_is_not_copied_through(
    ends: tuple[socket.socket, Counted],
) -> None:
    far, near = ends
    sock = ReadAhead(near)
    far.sendall(b"ab")
    assert sock.pending() == 0
    assert sock.recv(1) == b"a"
    assert sock.pending() == 1
    assert sock.recv(2 * AHEAD) == b"b"
    far.sendall(b"cd")
    assert sock.recv(2 * AHEAD) == b"cd"
    assert sock.pending() == 0


def test_the_end_and_errors_are_those_of_the_socket(ends: tuple[socket.socket, Counted]) -> None:
    far, near = ends
    sock = ReadAhead(near)
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    far.sendall(b"z")
    far.close()
    assert sock.recv(5) == b"z"
    assert sock.recv(5) == sock.recv(5) == b""
    assert sock.fileno() == near.sock.fileno()
