"""`aibridge init`: asks a few questions, or takes the answers from flags, and writes a first file."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aibridge_trio.cli import init_text
from aibridge_trio.cli.init_options import INIT
from aibridge_trio.cli.init_text import Answers
from aibridge_trio.config import files
from aibridge_trio.config.loader import load
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.printable import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aibridge_trio.config.option import Option

_OPTIONS = {option.name: option for option in INIT}
# What is asked on a terminal: the option, and the question.
QUESTIONS = (
    ("openai_key_file", "OpenAI: a file that holds your key (empty: callers send their own)"),
    ("anthropic_key_file", "Anthropic: a file that holds your key (empty: callers send their own)"),
    ("provider", "Another provider with OpenAI's API, as NAME=URL (empty: none)"),
    (
        "callers_file",
        "Known callers with tokens: a file for them, such as callers.toml (empty: none)",
    ),
    ("adaptive", "Learn how much each provider takes, and hold requests instead of rejecting them? yes or no"),
    ("max_concurrency", "At most so many requests at once (empty: unlimited)"),
)
# aibridge.toml holds no secret; the names of callers concern its owner only.
_CONFIGURATION_MODE, _CALLERS_MODE = 0o644, 0o600


def run(options: Mapping[str, Any], given: Sequence[str], environ: Mapping[str, str]) -> str:
    """Write the files and return what to say; `given` are the names of options that were flags.

    Asks if stdin and stdout are terminals and no answer was a flag. Raises UsageError if the file would not load,
    CommandError if it cannot be written or the answers end.
    """
    output: Path = options["output"]
    if not options["force"] and os.path.lexists(output):
        raise UsageError(f"--output: {quoted(str(output), 255)} exists; name another, or add --force")
    chosen = dict(options)
    if not set(given) - {"output", "force"} and sys.stdin.isatty() and sys.stdout.isatty():
        chosen |= asked(_prompt)
    return _write(output, _answers(chosen), environ, replace=options["force"])


def asked(ask: Callable[[str], str]) -> dict[str, Any]:
    """Return the answers to all questions, by option; a wrong one is asked for again."""
    answers: dict[str, Any] = {}
    for name, question in QUESTIONS:
        if name == "provider":
            answers |= _asked_providers(question, ask)
        else:
            answers[name] = _asked(_OPTIONS[name], question, ask)
    return answers


def _asked_providers(question: str, ask: Callable[[str], str]) -> dict[str, Any]:
    """Return providers and their key files, asked for until an answer is empty."""
    urls: dict[str, str] = {}
    keys: dict[str, str] = {}
    while added := _asked(_OPTIONS["provider"], question, ask):
        urls |= dict(added)
        for name, _ in added:
            key = _asked(_OPTIONS["openai_key_file"], f"{name}: a file that holds its key (empty: none)", ask)
            if key:
                keys[name] = str(key)
    return {"provider": tuple(urls.items()), "provider_key_file": tuple(keys.items())}


def _asked(option: Option, question: str, ask: Callable[[str], str]) -> Any:
    problem = ""
    while True:
        text = ask(f"{problem}{question}: ").strip()
        try:
            if text:
                return _checked(option, option.unit.parse(text))
            return None if option.default is None else option.unit.parse(option.default)
        except InvalidValue as invalid:
            problem = f"{invalid}; write e.g. {option.example}\n"


def _checked(option: Option, value: Any) -> Any:
    """Return the answer. Raises InvalidValue for a file that cannot be used, before the next question."""
    try:
        if option.name.endswith("key_file"):
            files.secret(value)
        elif option.name == "callers_file" and os.path.lexists(value):
            files.callers(value)
    except InvalidValue as invalid:
        # The answer is not quoted: it may be the key itself.
        raise InvalidValue(f"the file {invalid}") from None
    return value


def _prompt(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise CommandError("the answers ended; nothing was written") from None


def _answers(options: Mapping[str, Any]) -> Answers:
    names = dict(options["provider"])
    for name, _ in options["provider_key_file"]:
        if name not in names:
            raise UsageError(
                f"--provider-key-file: there is no provider {quoted(name)}; add --provider {name}=URL"
            )
    return Answers(
        bind=tuple(str(bind) for bind in options["bind"]),
        openai_key_file=_text(options["openai_key_file"]),
        anthropic_key_file=_text(options["anthropic_key_file"]),
        providers=names,
        provider_keys=dict(options["provider_key_file"]),
        callers_file=_text(options["callers_file"]),
        adaptive=options["adaptive"],
        max_concurrency=options["max_concurrency"],
        rate_limit=options["rate_limit"],
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


# Files.


def _write(output: Path, answers: Answers, environ: Mapping[str, str], *, replace: bool) -> str:
    """Write both files, the configuration only if it loads; return what was done and what comes next."""
    said = []
    callers = Path(answers.callers_file) if answers.callers_file else None
    fresh = callers is not None and not os.path.lexists(callers)
    if callers and fresh:
        _place(callers, init_text.callers(), _CALLERS_MODE)
        said.append(
            f"wrote {visible(str(callers))}; a first token: aibridge token new NAME --callers-file {callers}"
        )
    try:
        text = init_text.configuration(answers, str(output))
        _place(output, text, _CONFIGURATION_MODE, lambda draft: _check(draft, output, environ), replace=replace)
    except BaseException:
        if callers and fresh:
            callers.unlink(missing_ok=True)
        raise
    name = visible(str(output))
    said.append(f"wrote {name}; next: aibridge check --config {name}, then aibridge serve --config {name}")
    return "\n".join(said)


def _check(draft: Path, output: Path, environ: Mapping[str, str]) -> None:
    try:
        load({"config": str(draft)}, environ)
    except UsageError as error:
        raise UsageError(str(error).replace(str(draft), str(output))) from None


def _place(
    path: Path, text: str, mode: int, check: Callable[[Path], None] = lambda _: None, *, replace: bool = False
) -> None:
    """Write a file whole or not at all, once a draft beside it passes its check. Without `replace` it is new."""
    draft: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            draft = Path(file.name)
            file.write(text)
        check(draft)
        draft.chmod(mode)
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    except FileExistsError:
        raise UsageError(f"{quoted(str(path), 255)} exists; name another, or add --force") from None
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be written"
        raise CommandError(f"{quoted(str(path), 255)} cannot be written: {reason}") from None
    finally:
        if draft is not None:
            with suppress(OSError):
                draft.unlink()
