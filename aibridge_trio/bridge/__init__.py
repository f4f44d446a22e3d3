"""The wiring: everything built, started, drained.

Files, in reading order:

* store_setup: the store that replicas share, from settings.
* components: all components, from settings; backend_tasks: the timers of backends; event_bus: passes events on.
* bridge: from start to drain.
* reloading: rereads the configuration while the bridge runs.
* announcements: what it says of itself.
* service: reports to the service manager, and its watchdog. self_test: the bridge asks itself.
* reports: what it tells of itself.
* own_state: what a bridge saves for the one after it. saved_state: the file.
* running: the process around it: signals, descriptors, garbage collection.
"""

from aibridge_trio.bridge.bridge import Bridge
from aibridge_trio.bridge.running import serve

__all__ = ["Bridge", "serve"]
