"""`python -m aibridge_trio`."""

import sys

from aibridge_trio.cli import main

if __name__ == "__main__":
    sys.exit(main())
