"""The script that is the store in Redis and Valkey; written in Lua, in several files, of which it is made here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# In this order: each uses those before it.
_PARTS = ("checks", "state", "holdings", "waits", "uses", "budgets", "replicas", "needs", "messages", "batch")


@cache
def source() -> str:
    """Return the script: `KEYS[1]` is `tag(prefix)`, `ARGV[1]` a batch; it returns the reply."""
    folder = files(__package__) / "lua"
    return "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in _PARTS)


def tag(prefix: str) -> str:
    """Return what all keys of a prefix begin with: in a cluster they lie together, wherever that is."""
    return f"{{{prefix}}}"


def channel(prefix: str) -> str:
    """Return the channel on which the script says that there are new messages, with the number of the last one."""
    return f"{tag(prefix)}:wake"
