"""What an option is: its name, unit, default, variables and help, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.units import BOOLEAN, SECRET

if TYPE_CHECKING:
    from aibridge_trio.config.units import Unit


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing that can be set. `default` is text, as a user would write it; None is none.

    `variables` are read in this order, then `secret_file`, which names a file with the value in it. Without
    flag and key if `private`: `ps` shows flags, and a file travels. A `repeatable` flag may be given again.
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
        """`--rate-limit`."""
        return None if self.private else "--" + self.name.replace("_", "-")

    @property
    def switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.unit is BOOLEAN

    @property
    def negative(self) -> str | None:
        """`--no-circuit-breaker`, for a switch that something else than its flag could have switched on."""
        return f"--no-{self.flag[2:]}" if self.flag and self.switch and self.variables else None

    @property
    def key(self) -> str | None:
        """The key in the configuration file: `rate_limit`."""
        return None if self.private else self.name

    @property
    def all_variables(self) -> tuple[str, ...]:
        """The variables, and the one that names a file."""
        return (*self.variables, self.secret_file) if self.secret_file else self.variables

    @property
    def label(self) -> str:
        """What to call the option: its flag, else its variable."""
        return self.flag or self.variables[-1]

    @property
    def example(self) -> str:
        """A value that would do."""
        return self.unit.example if self.default in {None, "", "0", "0s", "false"} else str(self.default)

    def show(self, value: object) -> str:
        """The value as text without secrets; `none` where there is none."""
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
    """Describe a field of `Settings`: its variable is AIBRIDGE_NAME, then `also`; or only `private`.

    `file` is the variable that names a file with the value; a secret's is its own name and `_FILE`.
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
