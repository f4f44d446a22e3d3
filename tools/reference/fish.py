"""The completion script of fish."""

from __future__ import annotations

from collections.abc import Iterator

from tools.reference.tree import Branch, Place, Tree, head


def script(tree: Tree) -> str:
    """Return the script."""
    where = head("fish", ["aibridge completion fish > ~/.config/fish/completions/aibridge.fish"])
    lines = [line for branch in (tree.trunk, *tree.branches) for line in _lines(branch, tree.about)]
    return where + _SCRIPT + "".join(f"complete -c aibridge {line}\n" for line in lines)


def _lines(branch: Branch, about: dict[str, str]) -> Iterator[str]:
    whom = f'"{" ".join(branch.commands)}"'
    for number, place in enumerate(branch.places, 1):
        condition = " ".join(["__aibridge_argument", whom, str(number), *branch.valued])
        for word in place.words:
            yield _line(condition, f"-a {word}", about[word] if branch.commands == ("",) else "")
        if place.file:
            yield _line(condition, "-F", "")
    for flag in branch.flags:
        free = () if flag.repeatable else flag.names
        condition = " ".join(["__aibridge_flag", whom, *(f"{name}=" if flag.value else name for name in free)])
        for name, text in flag.about.items():
            yield _line(condition, _flag(name, flag.value), text)


def _line(condition: str, what: str, about: str) -> str:
    return f"-n {_quoted(condition)} {what}" + (f" -d {_quoted(about)}" if about else "")


def _flag(name: str, value: Place | None) -> str:
    option = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if value is None:
        return option
    if value.listed:
        return f"{option} -x -a '(__aibridge_list {' '.join(value.words)})'"
    if value.file:
        return f"{option} -r -F"
    return f"{option} -x -a '{' '.join(value.words)}'" if value.words else f"{option} -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


_SCRIPT = r"""
# Whether one of these commands is at work, and none of these flags is on the line yet; a final = means that
# it takes a value.
function __aibridge_flag
    set -l words (commandline -opc)
    contains -- "$words[2]" (string split ' ' -- $argv[1]); or return 1
    for flag in $argv[2..-1]
        # The value of the flag at the cursor is yet to come.
        test "$words[-1]=" = $flag; and return 0
        contains -- (string trim -r -c = -- $flag) (string replace -r '=.*' '' -- $words); and return 1
    end
    return 0
end

# Whether one of these commands is at work, and the word at the cursor is its argument of this number. The
# flags are those that take the next word.
function __aibridge_argument
    set -l words (commandline -opc)
    contains -- "$words[2]" (string split ' ' -- $argv[1]); or return 1
    set -l place 1
    set -l value no
    set -l ended no
    for word in $words[3..-1]
        if test $value = yes
            set value no
        else if test $ended = yes; or not string match -q -- '-*' $word
            set place (math $place + 1)
        else if test "$word" = --
            set ended yes
        else if contains -- $word $argv[3..-1]
            set value yes
        end
    end
    test $place -eq $argv[2]
end

# The list at the cursor, with each of these words behind it that is not in it yet.
function __aibridge_list
    set -l before (string match -r '.*,' -- (string replace -r '^--[^=]*=' '' -- (commandline -ct)))
    for word in $argv
        contains -- $word (string split , -- "$before"); or echo "$before$word"
    end
end

complete -c aibridge -f
"""
