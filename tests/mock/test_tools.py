"""Which tool the mock calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT, TOOL


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_scripts_and_tools_survive_any_json(junk: Any) -> None:
    """Junk in a script is refused or played, in a request answered; never a crash."""

    async def main() -> None:
        mock = Mock(MockOptions())
        assert (await call(mock, "/mock/script", {"answers": junk})).status in (200, 400)
        await call(mock, "/mock/script", method="DELETE")
        tools = ASK | {"tools": junk, "tool_choice": "required"}
        assert (await call(mock, CHAT, tools)).status == 200

    trio.run(main)


INSTRUCTIONS = {"role": "developer", "content": "Be brief."}


WISH = {"role": "user", "content": [{"type": "input_text", "text": "Use a tool, please."}]}


@pytest.mark.parametrize(
    ("spoken", "called"),
    [
        ([WISH], True),
        ([WISH, INSTRUCTIONS], True),
        ([WISH, {"role": "system", "content": "x"}, INSTRUCTIONS], True),
        ([INSTRUCTIONS], False),
        ([WISH, {"role": "assistant", "content": "yes"}], False),
        ([WISH, {"type": "function_call", "name": "ls"}, {"type": "function_call_output"}], False),
        ([WISH, {"role": "user", "content": "No."}], False),
        ([{"role": "developer", "content": "use a tool"}], False),
        ([], False),
        ("use a tool", True),
    ],
)
async def test_the_last_user_message_asks_for_a_tool(spoken: Any, called: bool) -> None:
    """Instructions may stand behind it, as Codex writes them; what was done since then ends the wish."""
    body = {"model": "m", "input": spoken, "tools": [TOOL]}
    answer = json.loads((await call(Mock(MockOptions()), "/v1/responses", body)).body)
    assert (answer["output"][0]["type"] == "function_call") is called
