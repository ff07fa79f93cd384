"""The client against a real coordinator: while it answers, while it is stopped, when it is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

SCRIPT = """
import os, signal, sys
import psutil, ray
from raysweep.store.weights_budget import NoRoomError
from raysweep.sweep import coordinator_client as module
from raysweep.worker.surroundings import Activity, Doing, Work

def raised(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__

ray.init(num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
one = module.CoordinatorClient.start(sys.argv[1], 1e-9, {})
one.update("a", Activity(Doing.TRAINING, "bbq", 1))
one.spend(Work.TRAINING, 1.25, "key", 2)
one.attend("a", b"driver")
assert one.progress("a") == (1, "training bbq")
assert one.seconds() == {Work.TRAINING: 2.5}
assert one.stage_seconds() == {"key": 1.25}
assert one.claim("key", "a@1") and not one.claim("key", "b@1")
assert one.wait_for("key", "b@1") == "a@1" and one.is_awaited("a")
one.fail("a", "a reason")
assert (one.failure("a"), one.failure("b")) == ("a reason", None)
assert one.drivers() == {"a": (0, b"driver")}
assert raised(lambda: one.make_room("key", 100)) == "NoRoomError"

def check_silence(expected):
    assert one.progress("a") == (None, "")
    assert one.claim("key", "b@1") and one.failure("a") is None and one.seconds() == {}
    assert raised(one.drivers) == expected, (raised(one.drivers), expected)
    one.update("a", Activity(Doing.STARTING))  # told to nobody

below = psutil.Process().children(recursive=True)
(actor,) = [p for p in below if "Coordinator" in " ".join(p.cmdline())]
actor.suspend()
module.CALL_SECONDS = 1
for name in ("progress", "claim", "failure", "seconds"):
    cells = dict(zip(getattr(module.CoordinatorClient, name).__code__.co_freevars,
                     getattr(module.CoordinatorClient, name).__closure__))
    cells["seconds"].cell_contents = 1
check_silence("SilentError")
actor.resume()
one.stop()
actor.wait(30)
check_silence("GoneError")
print("all of it")
"""


@pytest.mark.ray
def test_what_a_coordinator_answers_and_what_its_silence_means(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "all of it"
