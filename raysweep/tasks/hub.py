"""Reading datasets from the Hugging Face hub: pinned revisions, Parquet or JSON, never a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raysweep.errors import InputError
from raysweep.tasks.sources import Source, not_there
from raysweep.tasks.task import HubDataset, Located, Release, Task


def read_hub(dataset: HubDataset) -> Release:
    """All rows of a dataset on the hub, in the raw files' schema.

    Raises:
        InputError: it cannot be loaded.
    """
    return {
        split: [row for name in names for row in _read_split(dataset, name)]
        for split, names in dataset.splits.items()
    }


def _read(task: Task) -> Release:
    if task.hub is None:
        raise not_there(task, "is not on the hub")
    return read_hub(task.hub)


SOURCE = Source(_read)


def _read_split(dataset: HubDataset, split: str) -> Iterator[Located]:
    place = f"{dataset.repository}@{dataset.revision[:8]} {split}"
    for number, row in enumerate(_load(dataset, split), start=1):
        try:
            raw = dataset.to_raw(row)
        except (KeyError, TypeError) as error:
            problem = f"a row of another schema than expected ({error!r})"
            raise InputError(f"{place} row {number}", problem, "give --data a folder") from None
        yield f"{place} row {number}", raw


def _load(dataset: HubDataset, split: str) -> Any:
    import datasets  # takes seconds

    try:
        return datasets.load_dataset(
            dataset.repository, dataset.config, split=split, revision=dataset.revision
        )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"hub dataset {dataset.repository}",
            f"cannot be loaded at revision {dataset.revision} ({type(error).__name__}: {reason})",
            "check the network and `hf auth login`, or give --data a folder of the raw files",
        ) from None
