"""`aibridge` as it is, with the calls of its main thread counted by cProfile.

At SIGUSR1 it writes their number, Python functions and C functions, as a line on stdout; at SIGUSR2 those of each
function, as a line of JSON.
"""

from __future__ import annotations

import cProfile
import json
import os
import signal
import sys
from collections import Counter

from aibridge_trio.cli.main import main


def _name(code: object) -> str:
    if isinstance(code, str):
        return code
    file, _, function = str(getattr(code, "co_filename", "")), 0, getattr(code, "co_qualname", "") or code
    return f"{file.partition('site-packages/')[2] or os.path.relpath(file)}:{function}"


def count(profile: cProfile.Profile) -> None:
    """Write counts at each signal from now on."""

    def total(*_: object) -> None:
        profile.disable()
        os.write(sys.stdout.fileno(), b"%d\n" % sum(each.callcount for each in profile.getstats()))
        profile.enable()

    def by_function(*_: object) -> None:
        profile.disable()
        counts: Counter[str] = Counter()
        for each in profile.getstats():
            counts[_name(each.code)] += each.callcount
        text = json.dumps(counts).encode() + b"\n"
        while text:
            text = text[os.write(sys.stdout.fileno(), text) :]
        profile.enable()

    signal.signal(signal.SIGUSR1, total)
    signal.signal(signal.SIGUSR2, by_function)


if __name__ == "__main__":
    profile = cProfile.Profile()
    count(profile)
    sys.exit(profile.runcall(main))
