"""The pages of the result tables and of the metrics, from their declarations."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from docs.generate.markdown import table
from raysweep.plan.metrics import METRICS
from raysweep.results.columns import DERIVED, SCHEMAS, TRIAL_TABLES

TABLES = """# Tables and columns

The files are `RESULTS/results/<table>/<trial>.arrow` in Arrow's IPC format, and
`RESULTS/results/study/study.arrow`; the same text stands in each file beside its column.
`answers`, `transitions`, `calibration`, `group_effects` and `chain_unevenness` are no files: they
are made from the predictions when they are asked for, the last two from those of all seeds. Nor is
`chain_summary`, which is made from the evaluations of all seeds. What the tables are for is told
in [reading the results](../start/results.md). `group` is a word of SQL: write that column as
`"group"`.
"""
METRIC = """# Metrics

What a trial reports after each stage: `search.objectives` and `stopping.metric` of a
[search space](settings.md) name them. Accuracies and forgetting are fractions of the test rows.
"""


def tables_page() -> str:
    """All tables; the columns that every table of trials has are listed once."""
    common = [
        field
        for field in SCHEMAS[TRIAL_TABLES[0]]
        if all(field.name in SCHEMAS[name].names for name in TRIAL_TABLES)
    ]
    parts = [TABLES, "## Every table but study", _columns(common)]
    for name, schema in (SCHEMAS | DERIVED).items():
        own = [field for field in schema if name not in TRIAL_TABLES or field not in common]
        parts += [f"## {name}", _columns(own)]
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """All metrics."""
    rows = [[f"`{name}`", metric.meaning] for name, metric in METRICS.items()]
    rows.append(["`accuracy_<task>`", "accuracy on that task of the chain, such as `accuracy_bbq`"])
    return f"{METRIC}\n{table(['metric', 'meaning'], rows)}\n"


def _columns(fields: Iterable[pa.Field]) -> str:
    rows = ([f"`{f.name}`", str(f.type), f.metadata[b"meaning"].decode()] for f in fields)
    return table(["column", "type", "meaning"], rows)
