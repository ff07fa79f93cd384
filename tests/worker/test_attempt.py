"""Trials in processes forked off one server: to the bit what processes of their own make."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.trials import Trial
from raysweep.process.fork_server import ForkServer
from raysweep.space.space import check_space
from raysweep.store.storage import Storage
from raysweep.worker.job import jobs_of
from raysweep.worker.line import answer
from raysweep.worker.seat import Seat
from tests.worker.alone import Alone

pytestmark = pytest.mark.distributed
WORLD, HOST = 1, "127.0.0.1"
ATTEMPT = "raysweep.worker.attempt:attempt"
PRELOADED = ("raysweep.worker.attempt", "raysweep.training.stage")


class Calls(Alone):
    """What one rank's process may call; the ranks share one address."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self.shared = shared

    def announce(self, address: tuple[str, int]) -> None:
        self.shared["address"] = address

    def find(self) -> tuple[str, int] | None:
        found: tuple[str, int] | None = self.shared.get("address")
        return found

    def fail(self, reason: str) -> None:
        self.shared["failure"] = reason

    def lose(self, reason: str, trace: str) -> None:
        self.shared["loss"] = reason, trace

    def note(self, note: object) -> None: ...


def seat(rank: int) -> Seat:
    return Seat(rank, WORLD, rank, WORLD, HOST, None, 5.0)


def run(servers: list[ForkServer], job: bytes) -> dict[str, Any]:
    """One trial, by a process of each server; what they said."""
    shared: dict[str, Any] = {}

    def follow(rank: int) -> None:
        child = servers[rank].start(ATTEMPT, job, seat(rank))
        try:
            while True:
                answer(child.channel, Calls(shared))
        except (EOFError, OSError):
            shared[f"code {rank}"] = child.exit_code()

    threads = [threading.Thread(target=follow, args=(rank,)) for rank in range(WORLD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return shared


def pickled(made: Plan, trial: Trial, folder: Path) -> bytes:
    return pickle.dumps(jobs_of(made, Storage.open(folder))(trial))


def digests(root: Path) -> dict[str, str]:
    """Of the store's files by entry and name, without what tells when and where."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            name = f"{path.parent.parent.relative_to(root)}/{path.name}"
            content = path.read_bytes()
            if path.suffix == ".json":
                content = json.dumps(without_times(json.loads(content))).encode()
            elif path.name == "steps.arrow":
                continue  # has the steps' speed in it
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: without_times(value)
            for key, value in content.items()
            if not key.startswith("provenance")
        }
    return content


@pytest.fixture(name="made", scope="module")
def two_chains() -> Plan:
    space = {
        "name": "one",
        "chains": [["toxigen", "csqa2"], ["csqa2", "toxigen"]],
        "data": {"num_train": 200, "num_test": 26},
        "stage": {"num_steps": 3, "learning_rate": 1.0e-3},
        "curvature": {"num_samples": 8, "min_products": 4, "max_products": 5},
        "workers": {"num_workers": WORLD, "zero_stage": 3},
    }
    return make_plan(check_space(space, "test"), find_checkpoint("tiny"))


@pytest.fixture(name="servers")
def of_two_ranks() -> Iterator[Callable[[tuple[str, ...]], list[ForkServer]]]:
    started: list[ForkServer] = []

    def start(modules: tuple[str, ...]) -> list[ForkServer]:
        started.extend(ForkServer(modules) for _ in range(WORLD))
        return started[-WORLD:]

    yield start
    for server in started:
        server.close()


def test_nothing_of_one_trial_is_left_to_the_next(
    made: Plan, servers: Callable[[tuple[str, ...]], list[ForkServer]], tmp_path: Path
) -> None:
    first, second = made.trials
    preloaded = servers(PRELOADED)
    for trial in (first, second):
        said = run(preloaded, pickled(made, trial, tmp_path / "one"))
        assert said["code 0"] == 0, said
    for trial in (first, second):
        new = servers(())  # imports all by itself
        said = run(new, pickled(made, trial, tmp_path / "each"))
        assert said["code 0"] == 0, said
    together, alone = (digests(tmp_path / name / "store") for name in ("one", "each"))
    assert together == alone
    kinds = {name.split("/")[0] for name in together}
    assert {"weights", "evaluations", "curvature"} <= kinds, kinds


def test_a_worker_that_fails_says_why(
    servers: Callable[[tuple[str, ...]], list[ForkServer]],
) -> None:
    said = run(servers(()), b"no job")
    assert said["code 0"] == 1
    assert said["loss"][0].startswith("UnpicklingError: ")
    assert "Traceback" in said["loss"][1]
