"""A short part of the campaign: kills of everything, a driver, a worker, a stop, a full disk.

`python -m tests.faults --out docs/evidence/faults.md` runs all of it.
"""

from __future__ import annotations

import random

import pytest

from tests.faults import cases
from tests.faults.campaign import Campaign
from tests.faults.moments import GROUP_KILLS

pytestmark = [pytest.mark.ray, pytest.mark.faults]
SEED = 1
KILL = random.Random(SEED).choice(sorted(GROUP_KILLS))
CASES = [
    KILL,
    "kill-driver-start",
    "kill-driver-stage-2",
    "kill-worker-joining",
    "stop-worker-training",
    "disk-full",
]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("faults"), SEED)


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_lost(campaign: Campaign, name: str) -> None:
    outcome = campaign.run(name, cases.CASES[name])
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.problems == [], outcome
    assert outcome.num_rows > 0
