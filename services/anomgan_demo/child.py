"""A child process of the demo: `python -m anomgan_demo.child ARGS` is `anomgan ARGS` that ends when its parent ends.

The parent holds the other end of standard input. When it leaves, in whatever way, the pipe breaks, this process gets
SIGTERM and ends as if told to.
"""

import os
import signal
import sys
import threading


def _follow_parent() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would be held when this process ends first
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    from anomgan_cli.main import main

    main(sys.argv[1:])
