"""``python traced_imports.py FILE WORD...``: runs raysweep so, and writes what it imported.

The words are a command's, or a single module's name with a dot in it. FILE becomes JSON: each
module with the one that imported it first.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType

MACHINERY = ("importlib", "_frozen_importlib", "runpy")


class Trace(MetaPathFinder):
    """Finds nothing; notes who asks first."""

    def __init__(self) -> None:
        self.importers: dict[str, str] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by every import of a module that is not there yet."""
        frame: FrameType | None = sys._getframe(1)
        while frame and str(frame.f_globals.get("__name__")).startswith(MACHINERY):
            if frame.f_globals["__name__"] == "importlib.util":
                return None  # only asked whether it is installed
            frame = frame.f_back
        self.importers.setdefault(name, frame.f_globals["__name__"] if frame else "")
        return None


def main(file: str, *words: str) -> None:
    """Runs the words, and writes the file when they have ended."""
    trace = Trace()
    sys.meta_path.insert(0, trace)
    try:
        if len(words) == 1 and "." in words[0]:
            import_module(words[0])
        else:
            sys.argv = ["raysweep", *words]
            runpy.run_module("raysweep", run_name="__main__")
    finally:
        found = {name: trace.importers.get(name, "") for name in list(sys.modules)}
        Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
