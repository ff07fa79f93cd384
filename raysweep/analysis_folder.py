"""Where the analysis is: installed, inside the package; in a checkout, the folder beside it.

Either way it is imported as ``raysweep.analysis``: the name ``analysis`` may be anybody's.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

NAME = "raysweep.analysis"


def import_analysis(module: str) -> ModuleType:
    """A module of the analysis, by its name within.

    Raises:
        ImportError: it is neither here nor there.
    """
    if find_spec(NAME) is None:
        folder = Path(__file__).parents[1] / "analysis"
        spec = spec_from_file_location(NAME, folder / "__init__.py")
        assert spec, "of a file whose name ends in .py"
        assert spec.loader
        sys.modules[NAME] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return import_module(f"{NAME}.{module}")
