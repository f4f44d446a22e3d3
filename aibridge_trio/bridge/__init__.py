"""The wiring: everything built, started, drained.

Files, in reading order:

* bridge: all components, from start to drain.
* running: the process around it: signals, descriptors, garbage collection.
"""

from aibridge_trio.bridge.bridge import Bridge
from aibridge_trio.bridge.running import serve

__all__ = ["Bridge", "serve"]
