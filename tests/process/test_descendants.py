"""Processes that have died, and those that are not quite dead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from raysweep.process.descendants import descendants, end_descendants
from raysweep.store.host_folder import PREFIX, delete_abandoned

# Its first thread ends, as that of a killed process may before the others: a zombie with a lock.
HOLDER = f"""
import ctypes, sys, threading, time
from pathlib import Path
from raysweep.store.host_folder import scratch_folder
def hold():
    with scratch_folder(Path(sys.argv[1]) / "{PREFIX}holder"):
        while "State:\\tZ" not in Path("/proc/self/status").read_text():
            time.sleep(0.01)
        print("ready", flush=True)
        time.sleep(600)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_threads_still_hold_its_locks_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        is_found = holder.pid in descendants()
        end_descendants(0.0)
        holder.kill()
        assert is_found
        delete_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_zombie_is_no_descendant() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert child not in descendants()
    os.waitpid(child, 0)
