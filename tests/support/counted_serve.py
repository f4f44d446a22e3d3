"""`aibridge` as it is, with the calls of its main thread counted by cProfile.

At SIGUSR1 it writes their number, Python functions and C functions, as a line on stdout.
"""

from __future__ import annotations

import cProfile
import os
import signal
import sys

from aibridge_trio.cli.main import main


def count(profile: cProfile.Profile) -> None:
    """Write the number of calls at each signal from now on."""

    def write(*_: object) -> None:
        profile.disable()  # its own calls do not count
        calls = sum(each.callcount for each in profile.getstats())
        profile.enable()  # before another signal can come, which Python 3.12 would not allow
        os.write(sys.stdout.fileno(), b"%d\n" % calls)

    signal.signal(signal.SIGUSR1, write)


if __name__ == "__main__":
    profile = cProfile.Profile()
    count(profile)
    sys.exit(profile.runcall(main))
