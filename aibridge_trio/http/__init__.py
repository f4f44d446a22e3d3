"""HTTP/1.1 as pure functions and parsers: no I/O, no clock.

Terms:

* head: start line and headers of a message. body: what follows it. piece: some bytes of a body, cut anywhere.
* framing: how the end of a body is determined: Content-Length, chunks, or the end of the connection (RFC 9112, 6).
* hop-by-hop header: concerns one connection, and is not forwarded (RFC 9110, 7.6.1).
* Request, Reply, Handler: what an application works with. A handler reads a Request and writes a Reply.
* interim response: a 1xx status before the final one.

Files, in reading order:

* message: Request, Body, Reply, Handler.
* headers: which headers are forwarded; single headers parsed.
* request_head: the head of a request, and what may be remembered of it.
* request_parser: what callers send → events.
* response_writer: the framing of responses to callers.
* response_head: the head of a response, and what of it goes on to the caller.
* response_parser: what providers send; the framing of requests to them.
* sse: server-sent events in response bodies.
* paths: rejects ambiguous request paths.
* decompression, gzip: compressed bodies.
"""
