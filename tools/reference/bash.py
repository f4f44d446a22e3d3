"""The completion script of bash."""

from __future__ import annotations

from tools.reference.tree import Branch, Tree, head, quoted


def script(tree: Tree) -> str:
    """Return the script."""
    branches = (tree.trunk, *tree.branches)
    where = head(
        "bash",
        [
            "aibridge completion bash > ~/.local/share/bash-completion/completions/aibridge",
            'eval "$(aibridge completion bash)"  # or this in ~/.bashrc, without the package bash-completion',
        ],
    )
    flags, values = "".join(map(_flags, branches)), "".join(map(_values, branches))
    return where + _SCRIPT.replace("@FLAGS@\n", flags).replace("@VALUES@\n", values)


def _flags(branch: Branch) -> str:
    pattern = " | ".join(name or "''" for name in branch.commands)
    lists = {
        "flags": ["|".join(flag.names) for flag in branch.flags],
        "valued": branch.valued,
        "repeatable": branch.repeatable,
    }
    told = "".join(f"\n      {name}='{' '.join(words)}'" for name, words in lists.items() if words)
    return f"    {pattern}){told}\n      ;;\n"


def _values(branch: Branch) -> str:
    lines = []
    for label, place in branch.values:
        # Readline does files best: quotes, tildes, folders, whatever the user has set up.
        actions = [f"fits='{' '.join(place.words)}'"] if place.words else []
        actions += ["listed=yes"] if place.listed else []
        actions += ["files=yes" if place.words else "compopt -o default 2>/dev/null"] if place.file else []
        action = " ".join(actions)
        if actions:
            pattern = " | ".join(quoted(f"{name} {label}") for name in branch.commands)
            lines.append(f"      {pattern}) {action} ;;\n")
    return "".join(lines)


# No status but 0 and no empty array goes unguarded: a user's shell may run under `set -eu`.
_SCRIPT = r"""
_aibridge() {
  local IFS=$' \t\n' rest=${COMP_LINE:0:COMP_POINT} command='' cur='' word='' name='' head=''
  local flags='' valued='' repeatable='' fits='' listed='' files='' before='' flag='' given='' ended='' place=1 i
  local -a words=()
  COMPREPLY=()

  # Bash splits words at = and : as well, and gives the word at hand with what is behind the cursor.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $i -eq 0 || $rest == [[:space:]]* ]] && words+=('')
    rest=${rest#"${rest%%[![:space:]]*}"}
    [[ $i -eq COMP_CWORD ]] && word=$rest
    words[${#words[@]}-1]+=$word
    rest=${rest#"$word"}
  done
  cur=${words[${#words[@]}-1]}
  [[ ${#words[@]} -gt 2 ]] && command=${words[1]}

  case $command in
@FLAGS@
  esac
  for ((i = 2; i < ${#words[@]} - 1; i++)); do
    word=${words[i]} name=${words[i]%%=*}
    if [[ -n $flag ]]; then
      flag=''
    elif [[ -n $ended || $word != -* ]]; then
      place=$((place + 1))
    elif [[ $word == -- ]]; then
      ended=yes
    else
      [[ " $repeatable " == *" $name "* ]] || given+=" $name"
      [[ $word == *=* || " $valued " != *" $name "* ]] || flag=$name
    fi
  done
  if [[ -z $flag && -z $ended && $cur == --*=* ]]; then
    flag=${cur%%=*} cur=${cur#*=}
    [[ $COMP_WORDBREAKS == *=* ]] || head=$flag=
  fi

  if [[ -n $flag || -n $ended || $cur != -* ]]; then
    case "$command ${flag:-$place}" in
@VALUES@
    esac
  fi
  if [[ -z $flag && -z $ended && -z $fits && ( -z $cur || $cur == -* ) ]]; then
    for word in $flags; do
      for name in ${word//|/ }; do
        [[ " $given " == *" $name "* ]] && continue 2
      done
      fits+=" ${word//|/ }"
    done
  fi
  # Of a list the last item is completed, with one that is not there yet.
  if [[ -n $listed && $cur == *,* ]]; then
    before=${cur%,*},
    cur=${cur##*,}
  fi
  for word in $fits; do
    [[ -n $before && ,$before == *",$word,"* ]] && continue
    [[ $word == "${cur#[\"\']}"* ]] && COMPREPLY+=("$head$before$word")
  done
  if [[ $cur == *=* && $COMP_WORDBREAKS == *=* && ${#COMPREPLY[@]} -gt 0 ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
  fi
  # What goes on behind its sign is not complete.
  [[ " ${COMPREPLY[*]-} " == *"= "* ]] && compopt -o nospace 2>/dev/null
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r word; do
      COMPREPLY+=("$word")
    done < <(compgen -f -- "${cur#[\"\']}")
  fi
  return 0
}

complete -F _aibridge aibridge
"""
