"""Connections: TCP, TLS, timeouts. The only wing besides `server` and `upstream` that touches sockets.

Terms:

* ByteStream: one connection's bytes. ServerStream: the same on a caller's connection.
* peer: the other side of a connection; local: this side's address.
* shortage: this machine lacks descriptors, memory or threads; not the peer's fault.
* close_notify: the TLS message that ends a stream, as distinct from a cut connection.

Files, in reading order:

* stream: the two interfaces, and TCP.
* tls: TLS over any stream. tls_contexts: the TLS settings and certificates of both sides.
* dial: opens connections: name resolution, several addresses in parallel.
* fault_causes: exceptions in words for the log.
* poller: reports readable sockets (epoll). deadline: one timeout for many waits.
"""
