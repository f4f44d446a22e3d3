"""Build dist/aibridge: one file, for machines without Python.

CPython's static library, launcher.c, and behind them a zip with everything that the program can import. All of the
standard library comes along but for what is named here, so that there is no list of imports to be kept right.
"""

# ruff: noqa: INP001, S603, T201 - a script, which starts programs and says what it made

from __future__ import annotations

import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import sbom
import unused

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "build" / "binary"
OUTPUT = ROOT / "dist" / "aibridge"

# Of the standard library, what no program that serves, prints and asks can want. Most of it is big, or needs
# libraries of its own. Then what Python tests itself with, and what tells about the machine that it was built on.
USELESS = re.compile(
    r"(?:__pycache__|site-packages|dist-packages|lib-dynload|tests?|idlelib|tkinter|turtledemo|turtle|lib2to3"
    r"|ensurepip|venv|distutils|pydoc_data|sqlite3|curses|dbm|audioop|nis|ossaudiodev|readline|spwd"
    r"|_(?:bz2|crypt|curses|curses_panel|dbm|gdbm|lzma|sqlite3|tkinter|uuid))(?:\.|$)"
    r"|_test|_ctypes_test|_?xx|config-|_sysconfigdata"
)
# Of the packages: trio brings its own tests, and pip writes commands and its own metadata.
USELESS_IN_PACKAGES = re.compile(r"(?:__pycache__|_tests|bin|direct_url\.json)$")
# Every Linux with glibc has these, and they belong together.
GLIBC = re.compile(r"linux-vdso|ld-linux|lib(?:c|m|dl|rt|util|pthread|resolv)\.so")
# These are stored as they are: without them nothing can be inflated. And zlib must be the first extension that is
# loaded, because zipimport imports it where it must not wait: under boot.py's lock.
FIRST = re.compile(r"encodings/|aibridge_(?:boot|parts)\.pyc|lib/(?:zlib\.so|libz\.)")
# A CPython without PGO has fewer sections of hot functions (3.11 has 3, and 135 with it).
HOT_WITHOUT_PROFILE = 50
# What takes the place of what was installed.
INSTEAD = {"certifi/core.py": HERE / "certifi_core.py"}


def main() -> None:
    """Build it, run it once, say what it is."""
    check_python()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    run(sys.executable, "-m", "venv", WORK / "env")
    pip = (WORK / "env/bin/pip", "install", "--quiet")
    # What was tested is what is built: versions and hashes stand in the locks, of the build's own tools too.
    run(*pip, "--require-hashes", "-r", HERE / "build.lock")
    into = ("--no-compile", "--target", WORK / "site")
    used = WORK / "requirements.lock"
    used.write_text(unused.locked((HERE / "requirements.lock").read_text()))
    listed = ("-r", used, "--report", WORK / "report.json")
    run(*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", *into, *listed)
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", *into, ROOT)

    files = installed(Path(sysconfig.get_path("stdlib")), USELESS)
    packages = installed(WORK / "site", USELESS_IN_PACKAGES)
    files |= {name: file for name, file in packages.items() if not unused.FILES.match(name)}
    for name in unused.CHANGES:
        text = unused.changed(name, files[name].read_text())
        files[name] = WORK / "changed" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_text(text)
    assert set(INSTEAD) <= set(files), "a dependency has changed; look at INSTEAD"
    extensions = installed(Path(sysconfig.get_config_var("DESTSHARED")), USELESS)
    extensions |= {name: files.pop(name) for name in list(files) if name.endswith(".so")}
    needed, libraries, foreign = shared(extensions)
    parts = WORK / "aibridge_parts.py"
    glibcs = glibc_files(libraries.values())
    parts.write_text(f"EXTENSIONS = {needed!r}\nGLIBC = {glibcs!r}\n")
    files |= INSTEAD | {"aibridge_boot.py": HERE / "boot.py", "aibridge_parts.py": parts}

    binary = WORK / "aibridge"
    foreign |= link(binary)
    with zipfile.ZipFile(binary, "a") as archive:
        # Where there is no __init__.py, only an entry of its own makes a directory a package.
        for directory in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            archive.writestr(zipfile.ZipInfo(f"{directory}/"), b"")
        for name, file in sorted(files.items()):
            add(archive, *compiled(name, file))
        for name, file in sorted(libraries.items()):
            add(archive, f"lib/{name}", file.read_bytes())
    OUTPUT.parent.mkdir(exist_ok=True)
    binary.replace(OUTPUT)

    told = run(OUTPUT, "--version", env={}).strip()
    listed_in = OUTPUT.with_name("aibridge.cdx.json")
    sbom.write(WORK / "report.json", WORK / "site", foreign, told.split()[-1], listed_in)
    glibc = max(version for file in (OUTPUT, *libraries.values()) for version in glibc_of(file))
    size = OUTPUT.stat().st_size / 1e6
    print(f"{OUTPUT}: {told}, {size:.1f} MB; for {os.uname().machine}, glibc {'.'.join(map(str, glibc))} or newer")
    built = "with PGO" if with_pgo(static_library()[0]) else "without PGO, so it is slower than it could be"
    print(f"of CPython it has {platform.python_version()}, built {built}; see docs/binary.md")
    print(f"of glibc it needs the linker, {', '.join(glibcs)}; what else is in it: {listed_in}")


def check_python() -> None:
    """End with one line about what is missing here."""
    missing = {
        "gcc": shutil.which("gcc"),
        "strip, ldd and readelf": shutil.which("strip") and shutil.which("ldd") and shutil.which("readelf"),
        "Python's header files": (Path(sysconfig.get_path("include")) / "Python.h").exists(),
        "Python's static library": usual_library().exists(),
    }
    for what, there in missing.items():
        if not there:
            sys.exit(
                f"make binary: {what} not found for {sys.executable}; on Debian: apt-get install gcc python3-dev "
                "python3-venv and make binary PYTHON=/usr/bin/python3; a Python of pyenv has everything it needs"
            )


def usual_library() -> Path:
    """Return where CPython's static library would be."""
    return Path(sysconfig.get_config_var("LIBPL"), sysconfig.get_config_var("LIBRARY"))


def static_library() -> tuple[Path, tuple[str, ...]]:
    """Return the static library of CPython to be linked, and the options that it needs.

    Debian has two: one that fits into any executable, and the one of its own `python3`, which was built with PGO
    and fits only into an executable that is always loaded to the same address. That one is a tenth faster.
    """
    usual = usual_library()
    sibling = usual.with_name(f"{usual.stem}-pic.a")
    if not sibling.exists():
        return usual, ()
    return (usual, ("-no-pie",)) if with_pgo(usual) else (sibling, ())


def with_pgo(library: Path) -> bool:
    """Return whether a static library was compiled with profile-guided optimization.

    The compiler then puts functions that the profile has shown to be hot into sections of their own, in nearly
    every file. Without a profile only a few functions are there, which are marked so in the source.
    """
    return run("readelf", "--section-headers", "--wide", library).count(" .text.hot") > HOT_WITHOUT_PROFILE


def installed(root: Path, useless: re.Pattern[str]) -> dict[str, Path]:
    """Return the files below a directory that come along, by their names there."""
    found: dict[str, Path] = {}
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if not useless.match(name)]
        files = [Path(directory) / name for name in names if not useless.match(name)]
        found |= {str(file.relative_to(root)): file for file in files}
    return found


def shared(extensions: dict[str, Path]) -> tuple[dict[str, list[str]], dict[str, Path], dict[str, Path]]:
    """Return the libraries that each extension module needs, the deepest first.

    And all files, stripped; and where those that are neither an extension module nor of glibc come from.
    """
    needed: dict[str, list[str]] = {}
    libraries: dict[str, Path] = {}
    foreign: dict[str, Path] = {}
    for name, file in sorted(extensions.items()):
        module = name.partition(".")[0].replace("/", ".")
        libraries[f"{module}.so"] = stripped(file, f"{module}.so")
        own = {library: Path(place) for library, place in linked(file) if not GLIBC.match(library)}
        # Whatever needs another needs more than that one: so each comes after what it needs.
        needed[module] = sorted(own, key=lambda library: len(linked(own[library])))
        libraries |= {library: stripped(place, library) for library, place in own.items()}
        foreign |= own
    return needed, libraries, foreign


def glibc_files(libraries: Iterable[Path]) -> list[str]:
    """Return the names of glibc's files that these ask for, but for the linker's own."""
    told = "".join(run("readelf", "--dynamic", "--wide", each) for each in libraries)
    names = set(re.findall(r"\(NEEDED\).*\[(.+)\]", told))
    return sorted(name for name in names if GLIBC.match(name) and not name.startswith("ld-"))


def stripped(file: Path, name: str) -> Path:
    """Return a copy without what debuggers want."""
    (WORK / "lib").mkdir(exist_ok=True)
    copy = WORK / "lib" / name
    run("strip", "--strip-unneeded", "-o", copy, file.resolve())
    return copy


def link(binary: Path) -> dict[str, Path]:
    """Compile the launcher and link it with all of CPython, because each extension module uses another part.

    Returns the static libraries beside CPython that went into it.
    """
    library, options = static_library()
    told = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("MODLIBS", "LIBS", "SYSLIBS"))
    names = re.findall(r"(?<!\S)-l(\w+)", told)
    run(
        *("gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-s", "-o", binary, HERE / "launcher.c"),
        *options,
        *("-isystem", sysconfig.get_path("include"), "-Wl,--export-dynamic"),
        *("-Wl,--whole-archive", library, "-Wl,--no-whole-archive"),
        *(f"-l{name}" if GLIBC.match(f"lib{name}.so") else f"-l:lib{name}.a" for name in names),
    )
    foreign = [library for library, _ in linked(binary) if not GLIBC.match(library)]
    assert not foreign, f"{binary} would need {foreign}"
    static = {f"lib{name}.a" for name in names if not GLIBC.match(f"lib{name}.so")}
    return {name: Path(run("gcc", f"-print-file-name={name}").strip()) for name in static}


def linked(file: Path) -> list[tuple[str, str]]:
    """Return the libraries that a file needs, with what these need, and where they are."""
    return re.findall(r"^\t(\S+) => (\S+)", run("ldd", file), re.MULTILINE)


def compiled(name: str, file: Path) -> tuple[str, bytes]:
    """Return what of a file comes along under which name: of Python its bytecode, which tells no path of ours."""
    if not name.endswith(".py"):
        return name, file.read_bytes()
    code = WORK / "module.pyc"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(file), str(code), dfile=name, doraise=True, invalidation_mode=unchecked)
    return f"{name}c", code.read_bytes()


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Write a member that is the same whenever it is built."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_STORED if FIRST.match(name) else zipfile.ZIP_DEFLATED
    archive.writestr(member, data, compresslevel=9)


def glibc_of(file: Path) -> Iterator[tuple[int, ...]]:
    """Yield the versions of glibc that a file asks for."""
    for version in re.findall(r"GLIBC_([\d.]+)", run("readelf", "--version-info", "--wide", file)):
        yield tuple(map(int, version.split(".")))


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a program and return what it printed; end where it fails."""
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"make binary: {' '.join(map(str, command))} ended with status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
