"""`python -m tools.picture` writes docs/top.svg; --check tells if it is outdated, --record records a new run."""

from __future__ import annotations

import sys

import trio

from tools import picture
from tools.picture import record

match sys.argv[1:]:
    case ["--check"]:
        if picture.outdated():
            sys.exit(f"out of date: {picture.PATH}; run python -m tools.picture")
    case ["--record"]:
        trio.run(record.run)
        picture.write()
    case []:
        picture.write()
    case _:
        sys.exit("usage: python -m tools.picture [--check | --record]")
