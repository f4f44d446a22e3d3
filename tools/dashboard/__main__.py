"""`python -m tools.dashboard` writes docs/operate/dashboard.svg; --check tells if it is outdated."""

from __future__ import annotations

import sys

from tools import dashboard

match sys.argv[1:]:
    case ["--check"]:
        if dashboard.outdated():
            sys.exit(f"out of date: {dashboard.PATH}; run python -m tools.dashboard")
    case []:
        dashboard.write()
    case _:
        sys.exit("usage: python -m tools.dashboard [--check]")
