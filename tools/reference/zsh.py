"""The completion script of zsh."""

from __future__ import annotations

from collections.abc import Iterator

from tools.reference.tree import Branch, Flag, Place, Tree, head, quoted


def script(tree: Tree) -> str:
    """Return the script."""
    where = head(
        "zsh",
        [
            "aibridge completion zsh > ~/.zfunc/_aibridge  # with fpath+=~/.zfunc before compinit in ~/.zshrc",
            "source <(aibridge completion zsh)             # or this after compinit in ~/.zshrc",
        ],
    )
    first = [spec for flag in tree.trunk.flags for spec in _flag(flag, alone=True)]
    front = "".join(f"    {spec} \\\n" for spec in first)
    commands = [quoted(f"{name}:{_escaped(text, ':')}") for name, text in tree.about.items()]
    listed = "".join(f"        {command}\n" for command in commands)
    cases = "".join(map(_case, tree.branches))
    body = _SCRIPT.replace("@FRONT@\n", front).replace("@COMMANDS@\n", listed).replace("@CASES@\n", cases)
    return "#compdef aibridge\n" + where + body


def _case(branch: Branch) -> str:
    specs = [spec for flag in branch.flags for spec in _flag(flag)]
    specs += [quoted(f"{number}{_value(place)}") for number, place in enumerate(branch.places, 1)]
    lines = [
        f"        {' | '.join(branch.commands)})",
        "          _arguments -S \\",
        *(f"            {spec} \\" for spec in specs),
        "            && ret=0",
        "          ;;",
    ]
    return "".join(f"{line}\n" for line in lines)


def _flag(flag: Flag, *, alone: bool = False) -> Iterator[str]:
    """The flag's specs for _arguments, after what it excludes: its other names, or everything."""
    out = "(- : *)" if alone else f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    for name, text in flag.about.items():
        about = f"[{_escaped(text, '[]')}]"
        value = f"={about}{_value(flag.value)}" if flag.value else about
        yield quoted(("*" if flag.repeatable else out) + name + value)


def _value(place: Place) -> str:
    # A space means that there is a value without known candidates.
    action = "_files" if place.file else f"({' '.join(place.words)})" if place.words else " "
    if place.listed:
        action = f"_values -s , {_escaped(place.name, ':').removesuffix(',...')} {' '.join(place.words)}"
    elif any(word.endswith("=") for word in place.words):
        # A word that ends with = is not complete.
        action = f' compadd -S "" - {" ".join(place.words)}'
    elif place.words and place.file:
        action = f"_aibridge_word_or_file {' '.join(place.words)}"
    return f":{_escaped(place.name, ':')}:{action}"


def _escaped(text: str, characters: str) -> str:
    return "".join(f"\\{c}" if c in characters + "\\" else c for c in text)


_SCRIPT = r"""
_aibridge() {
  local curcontext=$curcontext context state state_descr line ret=1
  local -A opt_args

  _arguments -C -A "-*" \
@FRONT@
    '1:command:->command' \
    '*::argument:->argument' \
    && ret=0

  case $state in
    command)
      local -a commands=(
@COMMANDS@
      )
      _describe -t commands command commands && ret=0
      ;;
    argument)
      curcontext="${curcontext%:*:*}:aibridge-$words[1]:"
      case $words[1] in
@CASES@
      esac
      ;;
  esac
  return ret
}

# One of these words, or a file; what _arguments has for compadd stands in front of them.
_aibridge_word_or_file() {
  local ret=1
  local -a expl words_=(${@[(r)[a-z]*,-1]})
  _wanted words expl word compadd -a words_ && ret=0
  _files && ret=0
  return ret
}

# From $fpath this file is the function's body at its first call.
if [[ ${funcstack[1]-} == _aibridge ]]; then
  _aibridge "$@"
else
  compdef _aibridge aibridge
fi
"""
