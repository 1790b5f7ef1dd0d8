"""How many files a process may have open, which is how many connections it may have."""

import resource

from anomgan.errors import ConfigError

SPARE = 128
"""for everything else that a process has open"""


def allow_open_files(connections: int) -> None:
    """Raise the process's own limit as far as need be; ConfigError where the system's does not let it."""
    needed = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{connections} connections need {needed} open files (RLIMIT_NOFILE), and {hard} are allowed: see `ulimit "
            "-Hn`, or LimitNOFILE of a systemd unit"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
