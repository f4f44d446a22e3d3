"""What the program's packages bring along though it never runs: it isn't shipped, so it needs no fixes either.

Tests hold this to what the program imports: each package is either here, or one that something imports.
"""

# ruff: noqa: INP001 - beside a script

from __future__ import annotations

import re
import sys

# Packages by their names on PyPI, and why nothing here runs them.
PACKAGES = {
    "h2": "HTTP/2, which the bridge does not speak: hypercorn's server, of which only the lifespan is used",
    "hpack": "of h2",
    "hyperframe": "of h2",
    "markdown-it-py": "rich's Markdown, of which nothing here is written",
    "mdurl": "of markdown-it-py",
    "priority": "of hypercorn's HTTP/2",
    "pygments": "rich's source code in colour",
    "rich-rst": "cyclopts' help in reStructuredText; help here is plain text",
    "wsproto": "hypercorn's WebSockets",
}
# The parts of used packages which run only with those.
FILES = re.compile(
    r"hypercorn/(?:asyncio|middleware|protocol)/"
    r"|hypercorn/(?:__main__|run|statsd)\.py"
    r"|hypercorn/trio/(?:run|statsd|task_group|tcp_server|udp_server|worker_context)\.py"
    r"|httpcore/_a?sync/(?:http2|socks_proxy)\.py|httpcore/_backends/anyio\.py"
    r"|httpx/_main\.py"
    r"|rich/(?:markdown|syntax|__main__)\.py"
    r"|anyio/(?:pytest_plugin|_backends/_asyncio)\.py"
    rf"|coredis/(?:recipes/|_py_{'311' if sys.version_info >= (3, 12) else '312'}_typing\.py)"
)
# What is left of their files, so that these import nothing of the above: a text that is there once, and its place.
CHANGES = {
    "hypercorn/trio/__init__.py": ("from .run import worker_serve\n", ""),
    "hypercorn/typing.py": ("import h2.events\n", ""),
}


def locked(lock: str) -> str:
    """Return the lock without these packages; AssertionError where one isn't in it: the list is to stay true."""
    parts = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)
    names = {part: part.partition("=")[0].strip() for part in parts}
    assert set(PACKAGES) <= set(names.values()), "a package isn't needed any more; look at PACKAGES"
    return "".join(part for part in parts if names[part] not in PACKAGES)


def changed(name: str, text: str) -> str:
    """Return the text of one of CHANGES' files as it is shipped; AssertionError where it isn't the known one."""
    old, new = CHANGES[name]
    assert text.count(old) == 1, f"{name} has changed; look at CHANGES"
    return text.replace(old, new)
