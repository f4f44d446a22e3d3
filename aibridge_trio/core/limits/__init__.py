"""Limits on concurrency and rate, and the queue. Pure: times are parameters, in seconds on any monotonic clock.

Terms:

slot        one unit of the concurrency limit in all (--max-concurrency)
share       one unit of a caller's, a class's or a provider's concurrency limit (--max-concurrency-per-caller …)
lease       what one request holds: slot, shares, its charge against the rate; or its wait for them
queue       the requests that wait for a slot, a share or their caller's rate (--queue-size)
turn        the moment at which a queued request gets all that it lacks. Of the rate limit also: the moment at
            which a refused request would be admitted
lane        a queued request's provider, or those of which it needs one: the part of a caller's queue that waits
            for the same share
refusal     why the limiter refuses a request, and when to come back
shadow      a limit in shadow (--shadow) only counts what it would refuse
budget      what is left of a caller's rate in its last span
pace        slots released per second, estimated
charge      one request's part of what a limit of tokens, or of requests, has counted

In reading order:

lease.py         the limits, and what one request holds of them
store_keys.py    what the store that replicas share calls each limit
keyed_limit.py   a concurrency limit per key
in_flight.py     the slots, counted without Trio: for the simulator
capacity.py      slots and shares together
others.py        what other replicas hold
rate_log.py      when one caller's requests were admitted
failure_limit.py a limit on failures by key, such as wrong tokens by address
rate.py          a rate limit: an exact sliding log per caller, and turns for refused requests
caller_rates.py  the rates of all callers, known or not, and of classes
rate_waiters.py  which queued requests the rate admits, and when the next one is due
usage_window.py  what is used in any span of seconds: limits of tokens, and of requests to a provider
usage_windows.py the same for many callers
usage_limits.py  the limits of a provider, or of one of its keys
fair_queue.py    the queue: turns go round by caller
release_rate.py  the estimate of when slots are released
turns.py         gives requests what they lack, at once or in their turn
waits.py         what is expected of waits: which are refused at once, and when to come back
refusals.py      refusals, and the reject for each
sharing.py       what leases need of the store, and what its answers say
concurrency.py   the limiter: all of the above composed
"""
