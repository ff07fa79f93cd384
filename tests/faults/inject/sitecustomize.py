"""Stops a process at an exact call. Python imports this at start where its folder is on PYTHONPATH.

RAYSWEEP_FAULTS holds a JSON list of faults (see `tests.faults.moments.Fault`). The function that a
fault names is wrapped as soon as its module has been imported; a process that never imports it pays
one comparison per import. Calls are counted over all processes, by files in the fault's folder.
"""

import json
import os
import sys


class Stopper:
    """Counts the calls of one function and acts at the one that is wanted."""

    def __init__(self, fault):
        self._fault = fault
        self.module, _, self._path = fault["target"].partition(":")

    def arm(self):
        if self.module in sys.modules:
            self.wrap(sys.modules[self.module])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        """For the import system: the module's own spec, which wraps once it is executed."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_wrap(module):
                execute(module)
                self.wrap(module)

            spec.loader.exec_module = execute_and_wrap
        return spec

    def wrap(self, module):
        import functools

        *owners, name = self._path.split(".")
        owner = functools.reduce(getattr, owners, module)
        original, is_before = getattr(owner, name), self._fault["when"] == "before"

        @functools.wraps(original)
        def stopping(*arguments, **keywords):
            if is_before:
                self._meet(arguments)
            result = original(*arguments, **keywords)
            if not is_before:
                self._meet(arguments)
            return result

        setattr(owner, name, stopping)

    def _meet(self, arguments):
        texts = [str(one) for one in arguments if isinstance(one, (str, os.PathLike))]
        match = self._fault["match"]
        if match and not any(match in text for text in texts):
            return
        if self._count() == self._fault["occurrence"]:
            self._act(texts)

    def _count(self):
        number = 1
        while True:
            try:
                os.close(os.open(self._file(f"call-{number}"), os.O_CREAT | os.O_EXCL))
                return number
            except FileExistsError:
                number += 1

    def _act(self, texts):
        import time

        with open(self._file("writing"), "w") as stream:
            json.dump({"pid": os.getpid(), "arguments": texts}, stream)
        os.replace(self._file("writing"), self._file("reached"))
        if self._fault["action"] == "raise":
            raise OSError(self._fault["errno"], os.strerror(self._fault["errno"]))
        while self._fault["action"] == "pause" and not os.path.exists(self._file("go")):
            time.sleep(0.05)

    def _file(self, name):
        return os.path.join(self._fault["folder"], name)


for _fault in json.loads(os.environ.get("RAYSWEEP_FAULTS", "[]")):
    Stopper(_fault).arm()
