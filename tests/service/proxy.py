"""A TCP proxy between a client and its server that does to connections what networks do."""

import socket
import threading


class Proxy:
    """It can cut its connections at any moment, wherever in a packet they are, or swallow all that is said on them."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pump, args=(source, sink)))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with source:
            try:
                while data := source.recv(1000):
                    if self._flowing.is_set():
                        sink.sendall(data)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def cut(self) -> None:
        """End every connection, at both ends."""
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._open.clear()

    def swallow(self) -> None:
        """From now on nothing arrives at either end, and nobody is told: a cable that is cut, a firewall that forgets.

        Connections that are made meanwhile are accepted, as a load balancer accepts them, and swallowed too.
        """
        self._flowing.clear()

    def flow(self) -> None:
        """From now on what is said arrives; what was swallowed is lost."""
        self._flowing.set()

    def close(self) -> None:
        """Accept no more, and end what there is."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5.0)
