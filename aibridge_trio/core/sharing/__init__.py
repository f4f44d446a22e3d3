"""What replicas share: what a request needs of common limits, how a store counts it, what happens without one.

Terms: a *replica* is one process that serves callers. A *store* keeps what replicas share: a Redis or Valkey
server, or the arbiter of one machine's workers. A replica *holds* amounts of limits (slots, tokens of running
requests) until it gives them back; a replica that is silent for too long loses what it holds. A *batch* is what a
replica sends to the store in one round trip.

Files, in reading order:

* needs: what one request asks for, what it is answered, and what it gives back.
* wire: batches and replies as JSON.
* session: a replica's side of a store, over query (what is asked), held (what it holds) and outbox (what it has
  used, and the store does not know yet).
* settling: for how long parts hold after the store is back.
* parts: a replica's part of a limit, while the store is away.
* ledger: a store in Python, for the arbiter of workers and the simulator.
* ledger_checks: whether a batch is one.
* ledger_needs: asks, and what is given back; over ledger_holdings, ledger_waits, ledger_uses,
  ledger_budgets.
* ledger_replicas: which replicas are silent.
* ledger_messages, ledger_tallies: what replicas tell each other.
* ledger_expiry: what is forgotten by itself.
"""
