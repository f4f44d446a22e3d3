"""An option: its name, unit, default, variables and help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.units import BOOLEAN, SECRET

if TYPE_CHECKING:
    from aibridge_trio.config.units import Unit


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting of a command. `default` is text as a user would write it, or None for no value.

    `variables` are read in this order, then `secret_file`, a variable that names a file with the value. A
    `private` option has neither flag nor key, because `ps` shows flags and files are copied. A `repeatable`
    flag can be given again.
    """

    name: str
    unit: Unit[Any]
    default: str | None
    help: str
    group: str = "Options"
    variables: tuple[str, ...] = ()
    secret_file: str | None = None
    private: bool = False
    repeatable: bool = False

    @property
    def flag(self) -> str | None:
        """The flag (`--rate-limit`, of `class_` `--class`), None if private."""
        return None if self.private else "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.unit is BOOLEAN

    @property
    def negative(self) -> str | None:
        """The flag that turns a switch off (`--no-circuit-breaker`), if a variable or the file can turn it on."""
        return f"--no-{self.flag[2:]}" if self.flag and self.switch and self.variables else None

    @property
    def key(self) -> str | None:
        """The key in the configuration file (`rate_limit`), None if private."""
        return None if self.private else self.name

    @property
    def all_variables(self) -> tuple[str, ...]:
        """The variables, then the one that names a file."""
        return (*self.variables, self.secret_file) if self.secret_file else self.variables

    @property
    def label(self) -> str:
        """The option's name in messages: its flag, else its last variable."""
        return self.flag or self.variables[-1]

    @property
    def example(self) -> str:
        """A valid value for examples in messages; never one that turns the option off."""
        return self.unit.example if self.default in {None, "", "0", "0s", "false"} else str(self.default)

    def show(self, value: object) -> str:
        """Return the value as text, secrets masked; `none` if it is None or empty."""
        return "none" if value is None else self.unit.show(value) or "none"


def option(
    unit: Unit[Any],
    default: str | None,
    group: str,
    text: str,
    *,
    also: tuple[str, ...] = (),
    private: tuple[str, ...] = (),
    repeatable: bool = False,
    file: str | None = None,
) -> Any:
    """Return a dataclass field that carries its option.

    Its variables are AIBRIDGE_NAME, then `also`; a private option has the variables in `private` only. `file` is
    the variable that names a file with the value; for a secret it is the secret's own variable and `_FILE`.
    """
    described = Option(
        name="",
        unit=unit,
        default=default,
        group=group,
        help=text,
        variables=private or also,
        secret_file=f"{private[0]}_FILE" if unit is SECRET else file,
        private=bool(private),
        repeatable=repeatable,
    )
    return field(default=None if default is None else unit.parse(default), metadata={"option": described})
