"""Stops a process at an exact call. Python imports this at start where its folder is on PYTHONPATH.

RAYSWEEP_FAULTS holds a JSON list of faults (see `tests.faults.moments.Fault`). The function that a
fault names is wrapped as soon as its module has been imported; a process that never imports it pays
one comparison per import. Calls are counted over all processes, by files in the fault's folder.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class Stopper:
    """Counts the calls of one function and acts at the one that is wanted."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self._fault = fault
        self.module, _, self._path = fault["target"].partition(":")

    def arm(self) -> None:
        if self.module in sys.modules:
            self.wrap(sys.modules[self.module])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """For the import system: the module's own spec, which wraps once it is executed."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is not None:
            assert spec.loader is not None
            execute = spec.loader.exec_module

            def execute_and_wrap(module: ModuleType) -> None:
                execute(module)
                self.wrap(module)

            setattr(spec.loader, "exec_module", execute_and_wrap)  # noqa: B010  # of this one loader
        return spec

    def wrap(self, module: ModuleType) -> None:
        import functools

        *owners, name = self._path.split(".")
        owner = functools.reduce(getattr, owners, module)
        original, is_before = getattr(owner, name), self._fault["when"] == "before"

        @functools.wraps(original)
        def stopping(*arguments: object, **keywords: object) -> object:
            if is_before:
                self._meet(arguments)
            result = original(*arguments, **keywords)
            if not is_before:
                self._meet(arguments)
            return result

        setattr(owner, name, stopping)

    def _meet(self, arguments: tuple[object, ...]) -> None:
        texts = [str(one) for one in arguments if isinstance(one, (str, os.PathLike))]
        match = self._fault["match"]
        if match and not any(match in text for text in texts):
            return
        if self._count() == self._fault["occurrence"]:
            self._act(texts)

    def _count(self) -> int:
        number = 1
        while True:
            try:
                os.close(os.open(self._file(f"call-{number}"), os.O_CREAT | os.O_EXCL))
                return number
            except FileExistsError:
                number += 1

    def _act(self, texts: list[str]) -> None:
        import time

        with open(self._file("writing"), "w") as stream:
            json.dump({"pid": os.getpid(), "arguments": texts}, stream)
        os.replace(self._file("writing"), self._file("reached"))
        if self._fault["action"] == "raise":
            raise OSError(self._fault["errno"], os.strerror(self._fault["errno"]))
        while self._fault["action"] == "pause" and not os.path.exists(self._file("go")):
            time.sleep(0.05)

    def _file(self, name: str) -> str:
        return os.path.join(self._fault["folder"], name)


for _fault in json.loads(os.environ.get("RAYSWEEP_FAULTS", "[]")):
    Stopper(_fault).arm()
