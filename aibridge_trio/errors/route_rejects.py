"""The reject of model routes, under the base URL `/v1`. docs/reference.md lists it with all others."""

from __future__ import annotations

from aibridge_trio.errors.base import Reject
from aibridge_trio.errors.rejects import NotFound
from aibridge_trio.printable import visible

_SHOWN = 100


class ModelNotRouted(NotFound):
    """No `[[routes]]` has the model; or, with a `path`, the providers that it names have another dialect."""

    def __init__(self, model: str, path: str = "") -> None:
        text = f"no route for the model {visible(model, _SHOWN)}"
        if path:
            text += f" at {visible(path, _SHOWN)}: its providers speak another dialect"
        Reject.__init__(self, f"{text}; [[routes]] in the bridge's configuration say where models go")
