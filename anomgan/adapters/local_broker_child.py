"""The child process of `LocalBroker`, run as a script: a broker on loopback that ends when its standard input ends.

Arguments: the port, and the command of another broker to start instead of amqtt. The parent holds the other end of
standard input; when it leaves, in whatever way, the pipe breaks and nothing is left running.
Imports nothing of anomgan, so that it starts quickly.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time


def main(port: int, command: list[str]) -> int:
    """Serve until standard input ends, or until the broker does."""
    return _other(command) if command else asyncio.run(_amqtt(port))


def await_parent() -> None:
    """Return when nobody holds the other end of standard input any more."""
    while os.read(0, 4096):
        pass


def _other(command: list[str]) -> int:
    broker = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 the parent found it on PATH

    def end() -> None:
        await_parent()
        broker.terminate()
        time.sleep(3.0)
        broker.kill()

    threading.Thread(target=end, daemon=True).start()
    return broker.wait()


async def _amqtt(port: int) -> int:
    from amqtt.broker import Broker  # type: ignore[import-untyped]  # amqtt ships no types

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 0}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.to_thread(await_parent)
    await broker.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
