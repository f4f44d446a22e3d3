"""One request from its caller to a provider and back.

Terms:

lease      what a request holds of the limits (`core.limits`): slot, shares, rate
turn       the moment at which a queued request gets what it lacks
backend    a configured provider: base URL, key, connections, breakers
target     where one request goes: a backend and a route, or the bridge itself
circuit    a breaker with its timer and events
line       the requests that are held for a provider (`core.adaptive`)
attempt    one request at a circuit: reports what the answer shows
record     what is published about one request
phase      starting, serving, draining or stopping

In reading order:

gateway.py             all steps of a request, in their order
prechecks.py           rejects that cost no slot: browser_origins.py (web pages), loop_detection.py, WebSockets
admission.py           slot, rate, shares and queue: `core.limits` on Trio
request_lease.py       what one request holds of them; shared_limits.py: and of those that replicas share
store_consent.py       asks the store, once a request
caller_request.py      what every step needs of one request
head_facts.py          what is remembered of a head that comes again
caller_identity.py     credential or address → caller; known_callers.py: token or certificate → known caller
model_access.py        which models a known caller may use
router.py              path → target; routing.py is what a target is; backend_setup.py builds the backends
model_routes.py        model → providers, and which of them takes a request now; model_list.py names the models
routed_request.py      one request of a model route: where it goes, and where next
buffering.py           bodies that are read before they are sent; stored_references.py checks them
spending.py            limits on tokens, budgets; bill.py is what one request is charged with
central_key.py         the headers that go to a provider beside a central key
key_pool.py            a provider's keys: which one is used; key_files.py reads them again from their files
shared_keys.py         what replicas tell each other of keys, by shared_notes.py; quota_notes.py: of their quotas
keyed_request.py       one request that is sent with a provider's key, and with another one if that is refused
provider_circuits.py   a provider's circuits and resting keys; circuit.py is one circuit
shared_breakers.py     breakers that replicas share; shared_circuit.py is one of them
adaptive_line.py       a provider's line; holding.py is one request in it, replay.py its body
shared_governor.py     what replicas share of a line's governor
shared_cooldowns.py    what they share of cooldowns of callers' own keys, by own_key_notes.py
shadow_holding.py      one request at a line in shadow
first_content.py       whether the beginning of an answer is a pushback
held_stream.py         the reply of a request that is held, kept alive by comments
relay.py               the answer back to the caller
request_events.py      what is published about one request
lifecycle.py           the bridge's phase
"""
