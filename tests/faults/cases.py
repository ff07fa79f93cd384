"""The cases of the campaign by name: which disturbance, and when."""

from __future__ import annotations

import signal
from functools import partial

from tests.faults.campaign import Case
from tests.faults.disturbances import (
    damage,
    fill_disk,
    fill_disk_to_the_last_byte,
    harm_one,
    kill_driver,
    kill_group,
    kill_ray,
    share_store,
)
from tests.faults.harm import delete, delete_folder, flip_bit, truncate
from tests.faults.moments import (
    CURVATURE,
    FIRST_COLLECTIVE,
    GROUP_KILLS,
    IN_COORDINATOR,
    IN_DRIVER,
    IN_FORK_SERVER,
    IN_RAYS_WORKER,
    LEAVE,
    LOAD,
    PLACE,
    PLACED,
    PUBLISH,
    QUEUE,
    STAGE_1,
    STAGE_2,
    START,
)

CASES: dict[str, Case] = {
    **{name: partial(kill_group, moment=moment) for name, moment in GROUP_KILLS.items()},
    **{
        f"{'kill' if how == signal.SIGKILL else 'stop'}-{whom}-{when}": partial(
            harm_one, moment=moment, how=how, whom=f"one {whom}"
        )
        for how in (signal.SIGKILL, signal.SIGSTOP)
        for whom, when, moment in (
            ("worker", "joining", START),
            ("worker", "first-collective", FIRST_COLLECTIVE),
            ("worker", "loading", LOAD),
            ("worker", "training", STAGE_2),
            ("worker", "publishing", PUBLISH),
            ("worker", "curvature", CURVATURE),
            ("worker", "leaving", LEAVE),
            ("lane", "placing", PLACE),
            ("lane", "placed", PLACED),
            ("lane", "reporting", QUEUE),
        )
    },
    **{
        f"{'kill' if how == signal.SIGKILL else 'stop'}-{name}": partial(
            harm_one, moment=STAGE_2, how=how, whom=whom, note=note
        )
        for how in (signal.SIGKILL, signal.SIGSTOP)
        for name, whom, note in (
            ("coordinator", "the coordinator", IN_COORDINATOR),
            ("rays-worker", "a worker process of Ray's", IN_RAYS_WORKER),
            ("fork-server", "the server of a worker's processes", IN_FORK_SERVER),
        )
    },
    "stop-driver": partial(
        harm_one, moment=STAGE_2, how=signal.SIGSTOP, whom="the driver", note=IN_DRIVER
    ),
    "kill-raylet": partial(kill_ray, part="raylet"),
    "kill-gcs": partial(kill_ray, part="gcs_server"),
    "kill-driver-start": partial(kill_driver, moment=START),
    "kill-driver-stage-1": partial(kill_driver, moment=STAGE_1),
    "kill-driver-stage-2": partial(kill_driver, moment=STAGE_2),
    "damage-weights": partial(damage, pattern="*/*/model.safetensors", spoil=flip_bit),
    "damage-step-log": partial(damage, pattern="*/*/steps.arrow", spoil=truncate),
    "damage-predictions": partial(damage, pattern="*/*/predictions.arrow", spoil=truncate),
    "damage-manifest": partial(damage, pattern="*/manifest.json", spoil=truncate),
    "delete-weights": partial(damage, pattern="*/*/model.safetensors", spoil=delete),
    "delete-step-log": partial(damage, pattern="*/*/steps.arrow", spoil=delete),
    "delete-attempt": partial(damage, pattern="*/*/predictions.arrow", spoil=delete_folder),
    "disk-full": fill_disk,
    "disk-full-to-the-last-byte": fill_disk_to_the_last_byte,
    "two-sweeps": share_store,
}
