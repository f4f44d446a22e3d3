"""The list of commands."""

from __future__ import annotations

import inspect

from aibridge_trio.cli import client_commands, main
from aibridge_trio.cli.commands import COMMANDS


def test_every_command_is_a_function_of_its_own() -> None:
    """And every public function that returns an exit status is a command, but `main` itself."""
    functions = {
        name
        for module in (main, client_commands)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and function.__annotations__.get("return") == "int"
        and not name.startswith("_")
    }
    assert {command.name for command in COMMANDS} == functions - {"main"}
    assert main.commands() is COMMANDS


def test_positional_arguments_have_their_help() -> None:
    """All of them."""
    for command in COMMANDS:
        assert set(command.arguments) == {each.name for each in command.positionals}
