"""How replicas reach the store that they share, and what each does while it is away.

Files, in reading order:

* store: the interface, and the store of a process that shares nothing.
* change: what is published when it is reached, or away.
* measured: a backend whose calls are measured.
* backend: the way to a store, as a link needs it.
* link: the store of a replica, over a backend. contact: from the registration with a store until it fails.
* arbiter: the store of one machine's workers, over frames on unix sockets. entrance: how workers connect to it.
  arbiter_backend: a worker's way to it.
"""
