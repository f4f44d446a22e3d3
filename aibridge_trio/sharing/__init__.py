"""How replicas reach the store that they share, and what each does while it is away.

Files, in reading order:

* store: the interface, and the store of a process that shares nothing.
"""
