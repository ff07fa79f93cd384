"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # several threads stall each other where the cores are shared

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the datasets' own files, where it is at hand."""
    folder = Path(os.environ.get("RAYSWEEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"the datasets' raw files are not in {folder}; RAYSWEEP_TEST_DATA names another folder"
        )
    return folder


@pytest.hookimpl(tryfirst=True)  # before the groups become part of the names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first, then those of several processes, then whole sweeps.

    With ``pytest -n 2`` one process runs the sweeps, one after the other and from the start, and
    the other one all the rest beside them: sweeps are long, and mostly wait.
    """
    is_parallel = hasattr(config, "workerinput")
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("sweeps"))
    items.sort(
        key=lambda item: (
            (item.get_closest_marker("ray") is not None) != is_parallel,
            item.get_closest_marker("distributed") is not None,
        )
    )
