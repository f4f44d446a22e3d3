"""Several processes that serve callers, and their supervisor: `aibridge serve --workers N`.

The supervisor serves no caller. It holds the listening sockets, reads the configuration, keeps the limits that all
workers share, and answers operators for all of them.

Terms
    worker: a process that serves callers. supervisor: the process that started it, and starts it again.

Files, in reading order:

* channel: messages between the supervisor and a worker.
* backoff: when a worker is started again.
* worker: the process that serves. member: a worker, as its supervisor sees it. crew: all of them.
* common_limits: what is counted for all workers.
* budgets: what callers have spent at all workers. common_state: what is saved for the next start.
* sockets: the callers' sockets, opened once. self_test: whether workers answer at them.
* totals: metrics of all. documents: the status of all. reports: what is known of all, also of those that ended.
* admin: the admin API for all.
* supervisor: everything together, from start to drain. serving: the process around it.
"""

from aibridge_trio.workers.serving import serve

__all__ = ["serve"]
