"""The child process of `LocalBroker`, run as a script: a broker on loopback that ends when its standard input ends.

Arguments: the port, and the command of another broker to start instead of amqtt. The parent holds the other end of
standard input; when it leaves, in whatever way, the pipe breaks and nothing is left running.
Imports nothing of anomgan, so that it starts quickly.
"""

import asyncio
import subprocess
import sys


def main(port: int, command: list[str]) -> int:
    """Serve until standard input ends; the exit status is 0 unless the broker ended first."""
    return _other(command) if command else asyncio.run(_amqtt(port))


def _other(command: list[str]) -> int:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as broker:  # noqa: S603 the parent found it on PATH
        sys.stdin.buffer.read()
        ended = broker.poll()
        broker.terminate()
        try:
            broker.wait(3.0)
        except subprocess.TimeoutExpired:
            broker.kill()
    return 0 if ended is None else 1


async def _amqtt(port: int) -> int:
    from amqtt.broker import Broker  # type: ignore[import-untyped]  # amqtt ships no types

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 0}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.to_thread(sys.stdin.buffer.read)
    await broker.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
