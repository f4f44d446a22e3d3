"""The text that `aibridge init` writes."""

from __future__ import annotations

import re
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.cli.init_text import Answers, callers, configuration
from aibridge_trio.config.document import Document
from aibridge_trio.config.provider_tables import BUILT_IN
from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.tables import shape


def uncommented(text: str) -> str:
    """The text with its keys that are comments, as an operator enables them."""
    return re.sub(r"^# (?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


def test_without_answers_nothing_is_set() -> None:
    """The defaults count; all else is a comment."""
    assert tomllib.loads(configuration(Answers(), "a.toml")) == {}


@given(
    st.builds(
        Answers,
        openai_key_file=st.none() | st.text(min_size=1),
        callers_file=st.none() | st.text(min_size=1),
        provider_keys=st.dictionaries(st.just("azure"), st.text(min_size=1)),
        providers=st.just({"azure": "https://x.example/v1", "vllm": "http://127.0.0.1:8000/v1"}),
        adaptive=st.booleans(),
        max_concurrency=st.integers(0, 10**9),
    ),
    st.text(min_size=1),
)
def test_every_answer_is_in_the_file(answers: Answers, name: str) -> None:
    """As TOML, whatever the names of files hold."""
    found = tomllib.loads(configuration(answers, name))
    assert found.get("callers_file") == answers.callers_file
    assert found.get("adaptive", False) == answers.adaptive
    assert found.get("max_concurrency", 0) == answers.max_concurrency
    providers = found["providers"]
    assert providers.get("openai", {}).get("key_file") == answers.openai_key_file
    assert providers["azure"]["base_url"] == "https://x.example/v1"
    assert providers["azure"].get("key_file") == answers.provider_keys.get("azure")
    assert providers["vllm"] == {"dialect": "openai", "base_url": "http://127.0.0.1:8000/v1", "key": "none"}


def test_what_is_a_comment_is_valid_too() -> None:
    """An operator who removes the # gets what the comment says."""
    providers = {"vllm": "http://127.0.0.1:8000/v1", "azure": "https://x.example/v1"}
    text = uncommented(configuration(Answers(providers=providers), "a.toml"))
    values = tomllib.loads(text)
    document = Document("a.toml", values, text)
    assert set(shape.providers(document, BUILT_IN)) == {"openai", "anthropic", "copilot", "vllm", "azure"}
    assert shape.routes(document)
    known = {option.key for option in OPTIONS}
    assert set(values) - known == {"providers", "routes"}
    text = uncommented(callers())
    document = Document("c.toml", tomllib.loads(text.replace('"..."', f'"{"0" * 64}"')), text)
    assert set(shape.classes(document)) == {"people", "ci"}
    assert [each["name"] for each in shape.callers(document)] == ["dev-07"]
