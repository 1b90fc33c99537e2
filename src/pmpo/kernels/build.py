"""Compiles the CPU's kernel once for a machine and keeps it in the cache folder."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from pmpo.foundation.cache import cache_folder
from pmpo.kernels.plan import CannotFuseError

HERE = Path(__file__).parent
SOURCES = ("cpu.cpp", "vector_math.h")
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
"""No -ffast-math: a NaN must stay one."""
SECONDS = 120.0
"""The longest that a compiler may take; it needs about five."""


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled kernel; made at the first use on a machine, in about five seconds.

    Raises: CannotFuseError without a compiler, where it fails, and where the cache folder cannot be written.
    """
    if platform.system() == "Windows":
        raise CannotFuseError("the CPU's kernel is not made for Windows")
    compiler = find_compiler()
    if compiler is None:
        raise CannotFuseError("no C++ compiler was found (install g++ or clang++, or name one in CXX)")
    path = cache_folder() / "kernels" / f"loss-{_identity(compiler)}.so"
    try:
        if not path.exists():
            _compile(compiler, path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CannotFuseError(f"the CPU's kernel cannot be kept in {path.parent} ({error})") from error


def find_compiler() -> str | None:
    """$CXX, else the first of c++, g++, clang++ that there is."""
    named = os.environ.get("CXX")
    return named if named else next((found for name in COMPILERS if (found := shutil.which(name))), None)


def _identity(compiler: str) -> str:
    """Everything that could change the library; `-march=native` makes it one for this kind of processor alone."""
    version = _said([compiler, "--version"]).splitlines()[:1]
    sources = [(HERE / name).read_text(encoding="utf-8") for name in SOURCES]
    return hashlib.sha256(repr([version, FLAGS, _threads(), _processor(), *sources]).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _threads() -> list[str]:
    """torch's own OpenMP, so that both share one pool of threads and `torch.set_num_threads` holds for both."""
    folder = Path(torch.__file__).parent / "lib"
    return [str(path) for path in sorted(folder.glob("lib*omp*.so*"))[:1]]


def _compile(compiler: str, path: Path) -> None:
    """Into a temporary name, then renamed: processes that start together do not see a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        _said([compiler, *FLAGS, str(HERE / SOURCES[0]), *_threads(), "-o", str(draft)])
        os.replace(draft, path)


def _said(command: list[str]) -> str:
    """What a command prints.

    Raises: CannotFuseError where it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotFuseError(f"{command[0]} could not be run ({error})") from error
    if done.returncode:
        raise CannotFuseError(f"{command[0]} failed: {done.stderr.strip()[-500:] or done.stdout.strip()[-500:]}")
    return done.stdout
