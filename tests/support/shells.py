"""Bash, zsh and fish as a user has them in front of her: what they offer when a line is to be completed."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import termios
from pathlib import Path
from typing import Protocol

import pytest

PATIENCE = 20.0
# The program itself is there too: fish loads completions of no other.
_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def needed(program: str) -> str:
    """The program's path; without it the test is skipped, but in CI it fails."""
    if path := shutil.which(program):
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")


class Shell(Protocol):
    """A shell that runs, in a folder and with completion loaded by a command of its own."""

    def offers(self, line: str) -> dict[str, str]:
        """Candidates for the word at the end of the line, or at `|` in it, and what is said of each."""

    def close(self) -> None:
        """End it."""


class Typed:
    """A shell at a terminal. Its answers come back through a pipe, named $out, each with a zero byte behind."""

    def __init__(self, command: list[str], folder: Path, start: str) -> None:
        self._screen, theirs = pty.openpty()
        # Wide, so that no description is cut.
        termios.tcsetwinsize(theirs, (50, 1000))
        self._answers, out = os.pipe()
        environ = {"PATH": _PATH, "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ | {"out": f"/dev/fd/{out}"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            pass_fds=(out,),
            start_new_session=True,
        )
        os.close(theirs)
        os.close(out)
        self._seen = ""
        self._type(f" {start}; printf 'ready\\0' >\"$out\"\r")
        try:
            assert self._answer() == "ready"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See Shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._screen)
        os.close(self._answers)

    def answer_to(self, line: str) -> str:
        """Type the line, go back to the place in it, press the keys that ask, and return the answer."""
        before, _, after = line.partition("|")
        self._type(before + after + "\x02" * len(after) + "\x18*\x18r")
        return self._answer()

    def _type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def _answer(self) -> str:
        """Read up to a zero byte; and the screen, for a shell whose terminal is not read blocks."""
        answer = b""
        while not answer.endswith(b"\0"):
            ready, _, _ = select.select([self._screen, self._answers], [], [], PATIENCE)
            assert ready, f"no answer; on the screen: {self._seen[-2000:]}"
            if self._screen in ready:
                self._seen += os.read(self._screen, 65536).decode(errors="replace")
            if self._answers in ready:
                answer += os.read(self._answers, 65536)
        return answer.decode().removesuffix("\0")


class Bash(Typed):
    """Bash inserts all candidates into the line, which is then read."""

    def __init__(self, folder: Path, load: str) -> None:
        start = [
            "bind 'set enable-bracketed-paste off'",
            "bind 'set bell-style none'",
            r"""bind '"\C-x*": insert-completions'""",
            r"""bind -x '"\C-xr": printf "%s\0" "$READLINE_LINE" >"$out"; READLINE_LINE='""",
            load,
        ]
        super().__init__([needed("bash"), "--norc", "--noprofile", "-i"], folder, "; ".join(start))

    def offers(self, line: str) -> dict[str, str]:
        """See Shell."""
        before, _, after = line.partition("|")
        filled = self.answer_to(line)
        if filled == before + after:
            return {}
        # An open quote is closed by the candidate.
        quote = next((mark for mark in "'\"" if before.count(mark) % 2), "")
        *typed, word = [*shlex.split(before + quote), *([""] if before[-1] == " " else [])]
        flag, sign, _ = word.rpartition("=")
        words = shlex.split(filled.removesuffix(after))[len(typed) :]
        assert words[0].startswith(flag + sign)
        return {_last(word.removeprefix(flag + sign)): "" for word in words}


class Zsh(Typed):
    """Zsh calls compadd with its candidates, in whose place they are noted."""

    def __init__(self, folder: Path, load: str) -> None:
        (folder / ".capture").write_text(_CAPTURE)
        super().__init__([needed("zsh"), "-f", "-i"], folder, f"{load}; source ./.capture")

    def offers(self, line: str) -> dict[str, str]:
        """See Shell."""
        return _table(self.answer_to(line))


class Fish:
    """Fish tells its candidates when it is asked."""

    def __init__(self, folder: Path, load: str) -> None:
        script = f"{load}; while read -l line; complete -C $line; printf '\\0'; end"
        self._process = subprocess.Popen(
            [needed("fish"), "--no-config", "-c", script],
            cwd=folder,
            env={"PATH": _PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def offers(self, line: str) -> dict[str, str]:
        """See Shell."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line.partition("|")[0].encode() + b"\n")
        self._process.stdin.flush()
        answer = b""
        while not answer.endswith(b"\0"):
            more = os.read(self._process.stdout.fileno(), 65536)
            assert more, "fish has ended"
            answer += more
        # A flag comes back in front of its value.
        table = _table(answer.decode().removesuffix("\0"))
        return {re.sub(r"^--[a-z0-9-]+=", "", word): about for word, about in table.items()}

    def close(self) -> None:
        """See Shell."""
        self._process.kill()
        self._process.communicate()


def _table(text: str) -> dict[str, str]:
    parts = [line.partition("\t") for line in text.splitlines()]
    return {_last(word): about for word, _, about in parts}


def _last(word: str) -> str:
    """A file's name without its folders, as some shells give it."""
    return word.rstrip("/").rpartition("/")[2]


# After github.com/Valodim/zsh-capture-completion. Candidates of the same meaning are kept apart: together, they
# would come without it.
_CAPTURE = r"""
zstyle ':completion:*' list-grouped no
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "$@"
    return
  fi
  local -a hits shown
  local told
  if (( $@[(I)-d] )); then
    told=${@[$[${@[(i)-d]}+1]]}
    [[ $told == \(* ]] && eval "shown=$told" || shown=("${(@P)told}")
  fi
  builtin compadd -A hits -D shown "$@"
  setopt localoptions norcexpandparam
  local i
  for (( i = 1; i <= $#hits; i++ )); do
    print -r -- "${(Q)hits[i]}	${${shown[i]-}#*-- }" >> .noted
  done
  (( $#hits ))
}
note() {
  : > .noted
  _main_complete || :
}
answer() {
  printf '%s\0' "$(<.noted)" > "$out"
  rm .noted
  BUFFER=
}
zle -C note list-choices note
zle -N answer
bindkey '^X*' note
bindkey '^Xr' answer
"""
