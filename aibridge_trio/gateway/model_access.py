"""Which models a known caller may use: `models` of its entry or its class.

A caller with such a list gets through only what shows its model: a JSON body with the member `model`, not
compressed. A provider may read a body more leniently than the bridge does. So a body is rejected that also has
`model` in other letters (Go's decoder ignores the case), or `models` (a list for fallbacks, as OpenRouter's). Of
several members `model` the last counts, here as at the providers. Of a deployment of Azure's both names must be
allowed, the one in the path and the one in the body: Azure goes by the path, others may not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.model import ModelPatterns
from aibridge_trio.errors import ModelNotAllowed
from aibridge_trio.gateway.buffering import BufferedBody
from aibridge_trio.gateway.routing import ModelPath, Target
from aibridge_trio.http.message import Request
from aibridge_trio.printable import quoted

_MODEL = "model"
_LOOKALIKES = tuple(
    name for letters in product(*((char, char.upper()) for char in _MODEL)) if (name := "".join(letters)) != _MODEL
)
_LISTS = "models"
_MISLEADING = frozenset({_LISTS, *_LOOKALIKES})
# Members to look for in a body.
WANTED = (_MODEL, _LISTS, *_LOOKALIKES)
# No request with one of these makes a model run.
_READS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_FORM = re.compile(rb"multipart|form-urlencoded", re.IGNORECASE)
_SHOWN = 100


def needs_model(target: Target | ModelPath, request: Request, caller: Caller) -> bool:
    """Return whether the model must be read, because its caller may use some only.

    Raises ModelNotAllowed if it cannot be read.
    """
    if caller.terms is None or caller.terms.models is None:
        return False
    if target.route.model == "none" or request.method in _READS:
        return False
    if target.route.model == "hidden":
        raise ModelNotAllowed(f"{caller.name} may use some models only, and this route shows none")
    if target.encoded(request):
        raise ModelNotAllowed(f"{caller.name} may use some models only, and a compressed body shows none")
    # Any of several Content-Types: a form can begin with a JSON object, and no more of it would be read here.
    if any(_FORM.search(value) for value in request.header_values(b"content-type")):
        raise ModelNotAllowed(
            f"{caller.name} may use some models only, and a form (multipart or other) is not read for it:"
            " send JSON as application/json"
        )
    if isinstance(target, Target) and target.route.model == "path":
        _check_name(target.route.name_in(target.path.decode("latin-1")), caller)
    return True


def check_model(body: BufferedBody, caller: Caller) -> None:
    """Raise ModelNotAllowed unless the body names a model that its caller may use."""
    if body.fault:
        raise ModelNotAllowed(f"{caller.name} may use some models only, and the body shows none: {body.fault}")
    for name in body.found:
        if name in _MISLEADING:
            raise ModelNotAllowed(f"{caller.name} may use some models only, and the body has {quoted(name)} too")
    model = body.found.get(_MODEL)
    if not isinstance(model, str):
        raise ModelNotAllowed(f"{caller.name} may use some models only, and the body names none")
    _check_name(model, caller)


def _check_name(model: str, caller: Caller) -> None:
    assert caller.terms
    allowed = caller.terms.models or ()
    if _patterns(allowed).find(model) is None:
        known = ", ".join(allowed) or "none"
        raise ModelNotAllowed(f"{caller.name} may not use the model {quoted(model, _SHOWN)}, but: {known}")


@lru_cache(maxsize=1024)
def _patterns(allowed: tuple[str, ...]) -> ModelPatterns:
    return ModelPatterns(allowed)
