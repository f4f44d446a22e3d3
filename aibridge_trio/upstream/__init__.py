"""The providers' side: sends requests to providers, on pooled connections.

Terms:

* origin: scheme, host and port of a provider. pool: the connections to one origin, in use and idle.
* transport: what sends requests, direct or through a proxy (httpx's interface).
* call: one request on one connection. exchange: the same with faults in the bridge's terms.
* phase: connect, head (until the response's head), stream (its body).
* neutral fault: says nothing about the provider's health, so the circuit breaker does not count it.

Files, in reading order:

* client: Upstream, one provider's base URL; Timeouts.
* exchange: Outgoing and Response, one request and its response, faults included.
* call: one request on a connection of our own. via_proxy: the same through a proxy, on httpx's transport.
* lost_connection: which broken connections say nothing about the provider's health.
* pool: the connections of one origin. transport: our own httpx transport, and the factory of both.
* upload_task: a task that uploads during the response.
"""
