"""`python -m tools.tuning` writes tables and pictures; with --check it names the ones that are out of date.

With --sharing it writes docs/sharing.md only, in a minute.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor

from tools import tuning

if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"], ["--sharing"]):
        sys.exit("usage: python -m tools.tuning [--check | --sharing]; it plays for nine minutes of one core")
    with ProcessPoolExecutor() as pool:
        if sys.argv[1:] == ["--sharing"]:
            tuning.write(over=pool.map, sharing_only=True)
        elif sys.argv[1:] != ["--check"]:
            tuning.write(over=pool.map)
        elif paths := tuning.outdated(over=pool.map):
            sys.exit(f"out of date: {', '.join(paths)}; run python -m tools.tuning")
