"""`python -m tools.reference` writes every generated file; with --check it names the ones that are out of date."""

from __future__ import annotations

import sys

from tools import reference

match sys.argv[1:]:
    case ["--check"]:
        if paths := reference.outdated():
            sys.exit(f"out of date: {', '.join(paths)}; run python -m tools.reference")
    case []:
        reference.write()
    case _:
        sys.exit("usage: python -m tools.reference [--check]")
