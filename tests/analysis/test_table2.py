"""Table 2 from evaluations and the records of runs."""

from __future__ import annotations

import json

from analysis.paper.table2 import display, table2
from raysweep.results.tables import read_table, write_trial
from tests.analysis.sweep_folder import Sweep


def _record(sweep: Sweep, name: str, **content: object) -> None:
    sweep.storage.write(f"runs/{name}.json", json.dumps(content).encode())


def test_ours_beside_the_papers(sweep: Sweep) -> None:
    """Training rows are those of the latest run that tells them; an older record has none."""
    sweep.add("toxigen -> csqa", {"toxigen": 60, "csqa": 50}, before=80)
    sweep.add("saferdialogues -> csqa", {"saferdialogues": 60, "csqa": 50}, before=80)
    _record(sweep, "20260101T000000Z-aaaa", num_rows={"toxigen": {"train": 7}})
    sizes = {"toxigen": {"train": 2236, "validation": 5, "test": 100}, "csqa": {"train": 2000}}
    _record(sweep, "20260102T000000Z-aaaa", num_rows=sizes)
    _record(sweep, "20260103T000000Z-aaaa", rows={})
    table = display(table2(sweep.storage))
    assert table.sections == (
        (("CQA", "capability", "2000", "2242", "100", "1221", "–", "–", "5", "5"),),
        (
            ("TQA", "safety", "2236", "2236", "100", "4455", "–", "13", "2", "2"),
            ("SD", "safety", "–", "6306", "100", "788", "–", "–", "–", "–"),
        ),
    )
    assert "no run of this sweep recorded them" in table.notes[-1]
    assert ",2236,2236,100,4455," in table.texts()["csv"]


def test_groups_are_those_that_were_scored(sweep: Sweep) -> None:
    """By the rows of a stage; an overall row is no group, a subset's row no other test set."""
    sweep.add("toxigen -> csqa", {"toxigen": 60, "csqa": 50})
    (name,) = sweep.storage.names("results/evaluations", ".arrow")
    rows = read_table(sweep.storage, "evaluations").to_pylist()
    more = [
        {**row, "num_examples": 40, "group": group, "subset": subset}
        for row in rows
        if row["task"] == "toxigen"
        for group, subset in (("women", "all"), ("jewish", "all"), ("overall", "part"))
    ]
    trial = name.removesuffix(".arrow")
    write_trial(sweep.storage, trial, {"evaluations": [*rows, *more]})
    csqa, toxigen = table2(sweep.storage)
    assert (toxigen.num_groups, toxigen.num_test) == (2, (100,))
    assert (csqa.num_groups, csqa.num_labels) == (0, 5)
