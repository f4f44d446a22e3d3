"""The tables of the configuration file, as a man page has them: each under its header, a key to a paragraph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.config.tables import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.config.tables.key import Key, Shape

_TABLES = (
    ("`[classes.NAME]`", "What one caller of a class may use, and all of them together (`total_`).", keys.CLASS),
    ("`[[callers]]`", "A caller that is known. With any, others get 401.", keys.CALLER),
    ("`[providers.NAME]`", "A provider; `openai`, `anthropic` and `copilot` need no dialect.", keys.PROVIDER),
    ("`[[routes]]`", "Which providers take a model under the base URL /v1.", keys.ROUTE),
)


def described() -> Iterator[str]:
    """Yield a heading, a sentence and the keys of each sort of table."""
    for header, text, shape in _TABLES:
        yield f"### {header}"
        yield text
        yield from _keys(shape)


def _keys(shape: Shape, outer: str = "") -> Iterator[str]:
    for key in shape.keys:
        said = [key.help.replace(" *.", " `*`.")]
        if key.required:
            said.append("Required.")
        elif key.default:
            said.append(f"Default: {f'`{key.default}`' if key.default.startswith('--') else key.default}.")
        yield f"`{outer}{key.name} =` {_value(key)}\n: {' '.join(said)}"
        if key.shape:
            yield from _keys(key.shape, f"{outer}{key.name}{'[]' if key.most else ''}.")


def _value(key: Key) -> str:
    if key.shape:
        return "[{ ... }, ...]" if key.most else "{ ... }"
    assert key.kind
    return key.kind.names.replace("…", "...").replace("|", " | ")
