"""A provider: frozen facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aibridge_trio.errors import Reject
from aibridge_trio.providers.route import Route

# Encodes a reject as a provider's error: (reject, request id) → JSON.
Dialect = Callable[[Reject, bytes], bytes]
# Returns the header for a central key.
Credential = Callable[[str], tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Provider:
    """The facts about one provider.

    name           In paths, labels and messages.
    api            The API that it speaks: the name of the built-in provider whose facts these are.
    prefix         Of its paths on the bridge.
    routes         Its allow-list.
    dialect        The format of its errors.
    credential     Returns the header for a central key; None if only callers' own keys are used.
    account        Options that are sent beside the central key, as the headers of the same name (with `-` for
                   `_`).
    path_dialects  Other dialects, by the beginning of the path after the prefix.
    probes         Paths after the prefix whose GET is answered by the bridge itself.
    model_list     Path after the prefix whose GET needs a key and costs nothing: the list of models.
    required       Headers without which the API answers no request.
    """

    name: str
    api: str
    prefix: str
    routes: tuple[Route, ...]
    dialect: Dialect
    credential: Credential | None
    account: tuple[str, ...] = ()
    path_dialects: Mapping[str, Dialect] = field(default_factory=dict)
    probes: frozenset[str] = frozenset()
    model_list: str = "/models"
    required: tuple[tuple[bytes, bytes], ...] = ()

    def route(self, method: str, path: str) -> Route | None:
        """Return the row that allows the method on the path; None without one."""
        return next((route for route in self.routes if route.matches(method, path)), None)

    def dialect_at(self, path: bytes) -> Dialect:
        """Return the dialect of errors at a path (with the prefix)."""
        rest = path[len(self.prefix) :]
        return next(
            (self.path_dialects[start] for start in self.path_dialects if rest.startswith(start.encode())),
            self.dialect,
        )
