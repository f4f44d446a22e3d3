"""Redis and Valkey as a store.

Files, in reading order:

* address: where a server is, and how to log in.
* script: the store itself, in Lua.
"""
