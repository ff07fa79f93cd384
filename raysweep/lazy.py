"""Names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    package: str, origins: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package.

    Type checkers read the same names as imports under TYPE_CHECKING.

    Args:
        origins: name -> the module that defines it; or the module itself, which ends in the name.
    """

    def load(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: Any = import_module(origins[name])
        if origins[name] != f"{package}.{name}":
            found = getattr(found, name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        own = vars(sys.modules[package])
        return sorted({*origins, *(name for name in own if name.startswith("__"))})

    return load, names
