"""The callers' side: listeners, connections, and the requests on them.

Terms:

* exchange: one request on a connection and its response.
* service: responds to an exchange, by calling a handler or an ASGI application.
* idle: a connection without a request. parked: an idle connection of which only the stream is kept.
* unfinished head: a request whose head is not complete.
* discard: read and throw away what a caller sends behind an early response.
* evict: close an idle or slow connection to admit a new one.
* reserve: descriptors kept back to accept, or reject, when no other is left.

Files, in reading order:

* server: the accept loop, and the graceful stop.
* listener, unix_listener: TCP ports and unix sockets.
* connection: one connection. reader: its reading half. writer: its writing half. parking: those that idle.
* exchange: one request and its response. dates: their `Date`.
* dispatch: calls the application. asgi: the same exchange on any ASGI server. lifespan: startup and shutdown.
* connection_limit: how many connections, in all and by address. connection_timeouts: time and bytes of each.
* descriptors: file descriptors, and the reserve. inherited_sockets: those that the process was given at its start.
"""
