"""The trials in a folder as a plain Ray Tune function, one core each, two at a time.

    python -m benchmarks.tune_trials FOLDER        writes FOLDER/NAME.accuracies

Tune in its best shape: the two processes live through all trials and import once
(``reuse_actors``), no dashboard, nothing printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ray
from ray import tune


def trainable(config: dict[str, Any]) -> None:
    """One trial."""
    from benchmarks.plain_trial import run_trial  # imports torch, which the driver can do without

    tune.report({"accuracies": run_trial(json.loads(Path(config["path"]).read_text()))})


def main(folder: Path) -> None:
    """Runs all trials of a folder.

    Raises:
        RuntimeError: a trial failed.
    """
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    paths = sorted(map(str, folder.glob("*.json")))
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"path": tune.grid_search(paths)},
        tune_config=tune.TuneConfig(max_concurrent_trials=2, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    )
    for result in tuner.fit():
        if result.error:
            raise RuntimeError("a trial failed") from result.error
        written = json.dumps(result.metrics["accuracies"])
        Path(result.config["path"]).with_suffix(".accuracies").write_text(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
