"""`python -m tools.reference` writes every generated file; with --check it names the ones that are out of date."""

from __future__ import annotations

import sys

from tools import reference

if sys.argv[1:] == ["--check"]:
    if paths := reference.outdated():
        sys.exit(f"out of date: {', '.join(paths)}; run python -m tools.reference")
else:
    reference.write()
