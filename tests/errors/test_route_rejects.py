from __future__ import annotations

from aibridge_trio.errors import ModelNotRouted


def test_the_message_names_model_and_configuration() -> None:
    """What the caller wrote is shown as printable text, cut."""
    reject = ModelNotRouted("gpt\n" + "x" * 500)
    assert (reject.reason, reject.status, reject.final) == ("not_found", 404, True)
    assert reject.message.startswith(r"no route for the model gpt")
    assert "\n" not in reject.message
    assert len(reject.message) < 250
    assert "[[routes]]" in reject.message


def test_another_dialect_is_said() -> None:
    """With the path."""
    message = ModelNotRouted("claude", "/v1/chat/completions").message
    assert "at /v1/chat/completions: its providers speak another dialect" in message
