"""Inside the binary: what runs before the program, so that it finds shared libraries in a zip.

The linker wants a file that has a name. A file in memory has one, /proc/self/fd/N, until it is closed, and the
linker needs it no longer than that. So nothing is written to any disk, no other user can put a library in its
place, and nothing is left behind however the process ends.

Only modules that are built into Python or frozen may be imported here: without this module the others cannot be
read.
"""

# ruff: noqa: INP001 - a file of the binary, no package

import _imp
import _signal
import posix
import sys
from _frozen_importlib import ModuleSpec
from _thread import allocate_lock
from itertools import count
from zipimport import zipimporter

from aibridge_launcher import load
from aibridge_parts import EXTENSIONS, GLIBC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The first process of a container must have a handler, or the kernel drops the signal. Until the program has its
# own (aibridge_trio/process/signals.py), nothing has begun that could be ended in another way.
for _number in (_signal.SIGTERM, _signal.SIGHUP):
    if _signal.getsignal(_number) is _signal.SIG_DFL:
        _signal.signal(_number, lambda *_: posix._exit(0))  # noqa: SLF001 - its public name

_SELF = sys.path[0]
_ZIP = zipimporter(_SELF)
# Of linux/memfd.h. A library is mapped, never executed as a program, and where vm.memfd_noexec is 2 a file must
# say so.
_MFD_NOEXEC_SEAL = 8


class _Extensions:
    """Finds and loads the extension modules in the zip."""

    def __init__(self) -> None:
        self._there: set[str] = set()
        self._loading = allocate_lock()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Tell Python who loads this module."""
        del path, target
        return ModuleSpec(name, self, origin=_SELF) if name in EXTENSIONS else None

    def create_module(self, spec: ModuleSpec) -> object:
        """Load what the module is linked against, then the module."""
        # Threads import at the same time, and two copies of OpenSSL would each have their own state. The module
        # itself is left out of this: it may import others, whose locks others hold.
        with self._loading:
            for library in EXTENSIONS[spec.name]:
                if library not in self._there:
                    _loaded(library, load)
                    self._there.add(library)

        def create(name: str) -> object:
            return _imp.create_dynamic(ModuleSpec(spec.name, self, origin=name))

        return _loaded(f"{spec.name}.so", create)

    def exec_module(self, module: object) -> None:
        """Run the module's initialisation."""
        _imp.exec_dynamic(module)


def _loaded(part: str, how: "Callable[[str], object]") -> object:
    """Return what `how` makes of a shared library in the zip; SystemExit with one line where it can't be loaded.

    Not ImportError, by which a package would take the part for one that it can do without.
    """
    try:
        with _InMemory(part) as name:
            return how(name)
    except (ImportError, OSError) as error:
        remedy = "the system must give files in memory (memfd_create) that code can be mapped from"
        raise SystemExit(f"aibridge: cannot load {part}: {error}; {remedy}") from None


class _InMemory:
    """A shared library out of the zip, under a name that it has for as long as the block lasts."""

    _numbers = count(1)

    def __init__(self, part: str) -> None:
        self._file = memory_file(_ZIP.get_data(f"lib/{part}"))

    def __enter__(self) -> str:
        # Descriptors' numbers come again, and the linker takes a name that it knows for the library that it knows.
        return f"/proc/self/fd{'/' * next(self._numbers)}{self._file}"

    def __exit__(self, *_: object) -> None:
        posix.close(self._file)


def memory_file(data: bytes) -> int:
    """Return the descriptor of a file in memory with this content."""
    try:
        file = posix.memfd_create("aibridge", posix.MFD_CLOEXEC | _MFD_NOEXEC_SEAL)
    except OSError:  # Linux before 6.3
        file = posix.memfd_create("aibridge", posix.MFD_CLOEXEC)
    left = memoryview(data)
    while left:
        left = left[posix.write(file, left) :]
    return file


def _check_glibc() -> None:
    """End in one line where one of glibc's files is missing, instead of later with a traceback from an import."""
    for name in GLIBC:
        try:
            load(name)
        except ImportError as error:
            remedy = "all of glibc's files are needed: use a system or an image with glibc, like debian:12-slim"
            raise SystemExit(f"aibridge: {error}; {remedy}") from None


_check_glibc()
sys.meta_path.insert(0, _Extensions())
