"""Contracts as tests: inherit one for a task or a storage location of your own.

    class TestHaiku(raysweep.testing.TaskContract):
        @pytest.fixture
        def task(self):
            return haiku.TASK

        @pytest.fixture
        def rows(self):
            return [{"id": str(n), "poem": f"a pond, frog {n}", ...} for n in range(40)]

Needs pytest, which raysweep itself does not.
"""

from raysweep.testing.store_contract import StoreContract
from raysweep.testing.task_contract import TaskContract

__all__ = ["StoreContract", "TaskContract"]
