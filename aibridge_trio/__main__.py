"""The program: `aibridge`, `python -m aibridge_trio`. Signals and garbage collector come before other imports."""

import sys

from aibridge_trio.process import collector, signals

_INTERRUPTED = 130


def main() -> int:
    """Run the command line and return its exit status."""
    signals.catch()
    collector.run_rarely()
    if sys.argv[1:2] in (["serve"], ["worker"]):
        collector.pause()  # until it serves
    try:
        from aibridge_trio.cli import main as cli  # noqa: PLC0415 - after the handlers
    except KeyboardInterrupt:
        return _INTERRUPTED
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
