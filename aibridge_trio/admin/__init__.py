"""The admin listener: its API, and the client that `top` and `breaker` use.

Terms
    override: an operator's mode for a breaker: `open` or `close`; `auto` ends it, and so does its time.
    status stream: `/status/stream`, server-sent events with a status document each.

Files, in reading order
    access: which requests the listener answers.
    override_order: the body of an override.
    api: handles requests of the admin listener.
    client: requests the API of a running bridge.
    replicas: the bridges that URLs stand for. orders: an order to all of them.
    explaining: what all of them know of a request.
"""
