"""Redis and Valkey as a store.

Files, in reading order:

* address: where a server is, and how to log in.
* script: the store itself, in Lua.
* connection: one connection, by coredis; imported only where there is a store. servers: to which server it goes.
* batches: batches on one connection. backend: the way to the store, as a link needs it.
"""
