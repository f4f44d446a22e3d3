"""The text of the files that `aibridge init` writes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered. Files are names; `providers` are base URLs and `provider_keys` files by name."""

    bind: tuple[str, ...] = ("127.0.0.1:4001",)
    openai_key_file: str | None = None
    anthropic_key_file: str | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    provider_keys: Mapping[str, str] = field(default_factory=dict)
    callers_file: str | None = None
    adaptive: bool = False
    max_concurrency: int = 0
    rate_limit: int = 0


def configuration(answers: Answers, name: str) -> str:
    """Return the configuration file; `name` is its own."""
    shown = _toml(name)[1:-1]
    return f"""\
# AI Bridge: aibridge serve --config {shown}
#
# What is in force, and where it comes from: aibridge check --config {shown}
# Every key: man aibridge.toml. A line that begins with # has no effect.
# For completion in editors: aibridge schema > aibridge.schema.json, and this as the first line:
# #:schema ./aibridge.schema.json

# Where callers connect. Where other machines can, central keys need known callers.
{_line("bind", list(answers.bind), answers.bind != Answers.bind)}

# Known callers and their classes; others get 401. A new one: aibridge token new NAME --callers-file FILE
{_line("callers_file", answers.callers_file or "callers.toml", answers.callers_file is not None)}

# Learn how much each provider takes, and hold requests instead of rejecting them.
{_line("adaptive", True, answers.adaptive)}

# At most so many requests at once; and of one caller in a second.
{_line("max_concurrency", answers.max_concurrency or 50, answers.max_concurrency > 0)}
{_line("rate_limit", answers.rate_limit or 10, answers.rate_limit > 0)}

# Do not call a provider for a while that fails.
# circuit_breaker = true

# How long answers in flight may take to finish when the bridge stops.
# graceful_timeout = "30s"

# TLS for callers; and a file that keeps budgets, breakers and what was learned when the bridge restarts.
# tls_cert = "/etc/aibridge/tls.crt"
# tls_key = "/etc/aibridge/tls.key"
# state_file = "/var/lib/aibridge/state.json"

# Providers. A key stands in a file of its own, which only the bridge's user can read.
# Without a central key callers send keys of their own.

{chr(10).join(_providers(answers))}
# [providers.copilot]
# enabled = false

# Which provider takes a model under the base URL /v1; the second, when the first is not available.
# [[routes]]
# model = "qwen*"
# providers = ["vllm", "azure"]
"""


def callers() -> str:
    """Return an empty file of callers, with its explanation."""
    return """\
# The callers that AI Bridge knows. A request without one of their tokens gets 401.
# A new one: aibridge token new NAME --class people --callers-file FILE
# For completion in editors: aibridge schema callers.toml > callers.schema.json, and this as the first line:
# #:schema ./callers.schema.json

# What one caller of a class may use.
[classes.people]
# max_concurrency = 8
# rate_limit = 10                # a second
# token_rate_limit = "200000/m"
# models = ["claude-*", "gpt-5*"]
# budget = { tokens = 50000000, per = "month" }

# Served behind the others when there is not enough for all.
# [classes.ci]
# priority = "low"

# [[callers]]
# name = "dev-07"
# class = "people"
# token_sha256 = "..."
# expires = 2027-03-31
"""


def _providers(answers: Answers) -> Iterator[str]:
    yield from _built_in("openai", answers.openai_key_file)
    yield from _built_in("anthropic", answers.anthropic_key_file)
    for name, url in answers.providers.items():
        yield f"[providers.{name}]"
        yield _line("dialect", "openai")
        yield _line("base_url", url)
        if key := answers.provider_keys.get(name):
            yield _line("key_file", key)
        elif url.startswith("http:"):
            yield f"{_line('key', 'none')} # it needs none; callers' keys do not go there"
        else:
            yield _line("key_file", f"/etc/aibridge/{name}.key", False)
        yield ""


def _built_in(name: str, key_file: str | None) -> Iterator[str]:
    mark = "" if key_file else "# "
    yield f"{mark}[providers.{name}]"
    yield _line("key_file", key_file or f"/etc/aibridge/{name}.key", key_file is not None)
    yield ""


def _line(key: str, value: object, given: bool = True) -> str:
    """Return `key = value`, as a comment unless it is given."""
    return f"{'' if given else '# '}{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """Return text, numbers, booleans or a list of them as TOML, which has JSON's forms of these but for DEL."""
    return re.sub("\x7f", r"\\u007f", json.dumps(value, ensure_ascii=False))
