"""From a request to its target: by the path's first segment, or beneath `/v1` by the model in its body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aibridge_trio.config.provider_tables import RouteTable
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest, NotFound, Reject
from aibridge_trio.gateway import model_list
from aibridge_trio.gateway.loop_detection import Hops
from aibridge_trio.gateway.model_routes import ModelRoutes
from aibridge_trio.gateway.routing import Backend, Local, ModelList, ModelPath, Ping, Target
from aibridge_trio.http.message import Request
from aibridge_trio.providers import OPENAI, Dialect, base_url_hints, lookup, model_paths

_NOBODY = Caller(b"", "", authenticated=False)
_BY_MODEL = model_paths.PREFIX.encode() + b"/"
# Paths whose dialects are remembered, as they were sent: so many, of at most so many bytes.
_MOST_PATHS, _LONGEST_PATH = 256, 256
_BARE = frozenset({_BY_MODEL, _BY_MODEL[:-1]})


class Generation:
    """The requests that have come between two reloads: so many of them are in progress."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests = 0


class Router:
    """All configured providers, by path; and the routes of models.

    A request belongs to the present `generation`: it may go to any provider of that one, however late.
    """

    def __init__(self, backends: Sequence[Backend], routes: Iterable[RouteTable] = ()) -> None:
        self._backends = {backend.name: backend for backend in backends}
        self._routes = ModelRoutes(routes)
        self.hops = Hops()
        self.generation = Generation()
        self._former: tuple[Generation, ...] = ()
        self._dialects: dict[bytes, Dialect] = {}

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._backends.values())

    def apply(self, backends: Sequence[Backend], routes: Iterable[RouteTable]) -> None:
        """Send requests that come from now on to these, by these routes."""
        self._backends = {backend.name: backend for backend in backends}
        self._routes = ModelRoutes(routes)
        self._former = (*self.former(), self.generation)
        self.generation = Generation()
        self._dialects = {}

    def former(self) -> tuple[Generation, ...]:
        """Return the earlier generations of which requests are in progress."""
        self._former = tuple(each for each in self._former if each.requests)
        return self._former

    def get(self, name: str) -> Backend | None:
        """Return a backend by its name."""
        return self._backends.get(name)

    def is_ping(self, request: Request) -> bool:
        """Return whether a request is one that the bridge itself answers with 200."""
        if request.method not in ("GET", "HEAD"):
            return False
        try:
            return isinstance(self.match(request, _NOBODY), Ping)
        except Reject:
            return False

    def dialect(self, request: Request) -> Dialect:
        """Return the dialect of a request's rejects: by its path's first segment, OpenAI's for unknown ones."""
        path = request.path
        if path in self._dialects:
            return self._dialects[path]
        if self._routes and path.startswith(_BY_MODEL):
            versioned = bool(request.header_values(model_paths.VERSION_HEADER))
            return model_paths.dialect(path.decode("latin-1"), versioned=versioned)
        backend = self._backends.get(lookup.first_segment(path))
        dialect = backend.provider.dialect_at(path) if backend else OPENAI.dialect
        if len(self._dialects) < _MOST_PATHS and len(path) <= _LONGEST_PATH:
            self._dialects[path] = dialect
        return dialect

    def match(self, request: Request, caller: Caller) -> Target | ModelPath | Local:
        """Return where a request goes; raises BadRequest, MethodNotAllowed or NotFound."""
        method, path = request.method, request.path
        try:
            slash = lookup.check_target(method, path)
        except BadRequest as refused:
            raise BadRequest(_with(refused.message, self._hint(method, path))) from None
        if method in ("GET", "HEAD") and (path == b"/" or (self._routes and path in _BARE)):
            return Ping()
        if self._routes and path.startswith(_BY_MODEL) and (routed := self._by_model(request, caller)):
            return routed
        known = (backend.provider for backend in self._backends.values())
        found = lookup.find(known, method, path, slash=slash)
        if found is None:
            raise NotFound(method, path.decode("latin-1"), self._hint(method, path))
        provider, route, rest = found
        if route is None:
            return Ping(provider.name)
        backend = self._backends[provider.name]
        if route.own_key and backend.uses_central_key(caller):
            raise NotFound(
                method, path.decode("latin-1"), "it shows stored data, and is served for callers' own keys only"
            )
        return Target(backend, route, rest, self.hops)

    def _by_model(self, request: Request, caller: Caller) -> ModelPath | ModelList | None:
        """Return what a request beneath /v1 asks for, None if no provider of a route serves it."""
        method, path = request.method, request.path.decode("latin-1")
        if method in ("GET", "HEAD") and (path + "/").startswith(model_paths.MODELS + "/"):
            anthropic = bool(request.header_values(model_paths.VERSION_HEADER))
            usable = [name for name, table in self._routes.names() if self._serves(table, anthropic=anthropic)]
            names = model_list.visible_to(caller, usable)
            return ModelList(body=model_list.answer(names, path, anthropic=anthropic))
        known = self._routes.paths
        if method != "POST" or path in known:
            return known.get(path) if method == "POST" else None
        if routed := self._model_path(method, path):
            known[path] = routed  # as many as there are such rows
        return routed

    def _model_path(self, method: str, path: str) -> ModelPath | None:
        found = {}
        for name in {name: None for table in self._routes for name in table.providers}:
            backend = self._backends.get(name)
            if backend and (row := model_paths.row(backend.provider, method, path)):
                found[name] = Target(backend, *row, self.hops)
        return ModelPath(next(iter(found.values())).route, path, found, self._routes) if found else None

    def _serves(self, table: RouteTable, *, anthropic: bool) -> bool:
        path = "/v1/messages" if anthropic else "/v1/chat/completions"
        backends = (self._backends.get(name) for name in table.providers)
        return any(backend and model_paths.row(backend.provider, "POST", path) for backend in backends)

    def _hint(self, method: str, path: bytes) -> str | None:
        known = (backend.provider for backend in self._backends.values())
        return base_url_hints.hint(known, method, path.decode("latin-1"))


def _with(message: str, hint: str | None) -> str:
    return f"{message}; {hint}" if hint else message
