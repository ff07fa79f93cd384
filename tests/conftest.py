"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

torch.set_num_threads(1)  # several threads stall each other where the cores are shared

ROOT = Path(__file__).parents[1]
SCOPES = ("tests/e2e/", "tests/faults/test_campaign.py")  # each in one process


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the datasets' own files, where it is at hand."""
    folder = Path(os.environ.get("RAYSWEEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"the datasets' raw files are not in {folder}; RAYSWEEP_TEST_DATA names another folder"
        )
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then those of several processes, then whole sweeps."""
    items.sort(
        key=lambda item: (
            item.get_closest_marker("ray") is not None,
            item.get_closest_marker("distributed") is not None,
        )
    )


class _SweepsFirst(LoadScopeScheduling):
    """Largest scope first: one process runs the sweeps, the other one faults and all the rest."""

    def _split_scope(self, nodeid: str) -> str:
        return next((scope for scope in SCOPES if nodeid.startswith(scope)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Of ``pytest -n 2``."""
    return _SweepsFirst(config, log)
