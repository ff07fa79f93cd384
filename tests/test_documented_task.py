"""The documented task of one's own is one that the embedded base learns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import make_loops
from tests.measures.learning import learned
from tests.processes import run_group


@pytest.mark.distributed
def test_it_is_learned_in_one_stage_of_the_default_sweep(tmp_path: Path) -> None:
    ((accuracy, distinct, _),) = run_group(1, learned, make_loops(tmp_path), 150)
    assert accuracy > 0.9, "chance is 0.5"
    assert distinct == 2
