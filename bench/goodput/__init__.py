"""Goodput through an incident: the same callers and the same provider, with and without a gateway between them.

Files in reading order:

* incidents: what the provider does, and how many requests come.
* callers: requests at random times, each tried as its client's SDK tries.
* running: one incident through one gateway, and its outcome.
* page: the tables.
"""
