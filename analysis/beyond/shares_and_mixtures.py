"""Chains of two stages that train on a share of a task, or on several at once.

Such as ``bbq@50% -> arc_easy`` and ``bbq + toxigen -> arc_easy``: pairs of whole tasks are in
Table 1, and a share of the first task in the second stage is replay (Figure 7). Of each task in the
first stage

    forgetting = accuracy after the first stage - accuracy after the second

(equation 1, after a stage that may have seen a share of the task only), beside that of the chain
that begins with this task whole and alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from raysweep.results.query import query
from raysweep.space.chains import Chain, Mixture, Part
from raysweep.store.storage import Storage

from ..data.load import forgetting_by_seed
from ..data.mean import MISSING, Mean, fixed, mean_of, shown
from ..data.replays import is_mixed_replay
from ..data.setting import Setting, titles
from ..drawing.booktabs import Booktabs, Column
from ..drawing.line_panels import CHARACTERS_PER_INCH, SMALL, about_seeds
from ..drawing.literal import literal
from ..exhibit import Exhibit, Missing, Reading

COLUMNS = (
    Column("Chain"),
    Column("Task"),
    Column("seeds", is_number=True),
    Column("after_stage 1", "Accuracy (%)", "Accuracy", is_number=True),
    Column("after_stage 2", "Accuracy (%)", "Accuracy", is_number=True),
    Column("chance", "Accuracy (%)", "Accuracy", is_number=True),
    Column("forgetting", "Forgetting (points)", "Forgetting", is_number=True),
    Column("whole and alone", "Forgetting (points)", "Forgetting", is_number=True),
)
NOTES = (
    "Forgetting: accuracy after the first stage less that after the second; larger is worse. "
    "Mean ± sample standard deviation over seeds.",
    "Whole and alone: of the chain whose first stage is all of this task, all else equal; "
    f"{MISSING} where the sweep lacks it.",
)
NONE = "no chain of two stages has a share of a task or a mixture, but for replay"
MIN_WIDTH = 5.0  # inches
CHARACTER = 0.075
BESIDE = 0.22  # of a bar's place, so that two error bars are told apart
BAR, WHOLE = "#9db7d5", "#1f4e8c"
SQL = """
    SELECT trial, sweep, seed, data_seed, chain, settings, learning_rates, stage, task, title,
           100 * accuracy AS accuracy, 100 * chance AS chance
    FROM evaluations
    WHERE "group" = 'overall' AND subset = 'all' AND accuracy IS NOT NULL
      AND len(learning_rates) = 2 AND stage >= 1
    ORDER BY chain, trial
"""


@dataclass(frozen=True)
class Forgotten:
    """A task of a first stage, over the seeds of its chain.

    Attributes:
        chain, task: as the paper writes them.
        is_alone: whether the first stage is of this task only.
        before, after: accuracy in percent after the first and the second stage.
        chance: that of random answers; None for a generative task.
        points: their difference by seed.
        whole: forgetting where the first stage is this task whole and alone.
    """

    chain: str
    setting: Setting
    task: str
    is_alone: bool
    before: Mean
    after: Mean
    chance: float | None
    points: Mean
    whole: Mean | None


def shares_and_mixtures(results: Storage) -> tuple[Forgotten, ...]:
    """Chain by chain, the tasks of its first stage."""
    rows = query(results, SQL).to_pylist()
    named = {row["task"]: row["title"] for row in rows}
    whole = {
        (pair.first.name, pair.second.name, pair.setting): mean_of(seeds.values())
        for pair, seeds in forgetting_by_seed(results).items()
    }
    found = []
    for (setting, text), own in _by_chain(rows).items():
        chain = Chain.parse(text)
        for part in chain[0]:
            same = [row for row in own if row["task"] == part.task]
            before, after = (
                {
                    (row["seed"], row["data_seed"]): row["accuracy"]
                    for row in same
                    if row["stage"] == stage
                }
                for stage in (1, 2)
            )
            if seeds := before.keys() & after.keys():
                one = Forgotten(
                    chain=" → ".join(_title(mixture, named) for mixture in chain),
                    setting=setting,
                    task=named[part.task],
                    is_alone=len(chain[0]) == 1,
                    before=mean_of(before[seed] for seed in seeds),
                    after=mean_of(after[seed] for seed in seeds),
                    chance=same[0]["chance"],
                    points=mean_of(before[seed] - after[seed] for seed in seeds),
                    whole=whole.get((part.task, str(chain[1]), setting)),
                )
                found.append(one)
    return tuple(found)


def is_shown(chain: Chain) -> bool:
    """Whether a chain of two stages is neither a pair of whole tasks nor replay."""
    is_whole = all(mixture.full_tasks == (str(mixture),) for mixture in chain)
    return len(chain) == 2 and not is_whole and not is_mixed_replay(chain)


def exhibit(reading: Reading) -> Exhibit | Missing:
    """All of them."""
    found = reading.of(shares_and_mixtures)
    if not found:
        return Missing(NONE)
    table = listing(found)
    return Exhibit(table, lambda: picture(found), table.texts())


def listing(found: Sequence[Forgotten]) -> Booktabs:
    """The numbers: a section for each chain."""
    marked = zip(_marked(found), found, strict=True)
    sections = tuple(
        tuple(_cells(chain, one) for chain, one in same)
        for _, same in groupby(marked, key=lambda pair: pair[0])
    )
    title = "Shares and mixtures: forgetting after the next stage"
    return Booktabs(title, COLUMNS, sections, NOTES)


def picture(found: Sequence[Forgotten]) -> Figure:
    """A bar for each task of a first stage."""
    labels = [
        chain if one.is_alone else f"{one.task} of {chain}"
        for chain, one in zip(_marked(found), found, strict=True)
    ]
    width = MIN_WIDTH + CHARACTER * max(map(len, labels))
    means = [one.points for one in found]
    parts = [about_seeds(means), "larger is worse"]
    whole = [(place, one.whole) for place, one in enumerate(found) if one.whole]
    if whole:
        parts.insert(0, "◇ the task first, whole and alone")
    caption = fill("; ".join(parts), int(width * CHARACTERS_PER_INCH))
    height = 1.3 + 0.34 * len(found) + 0.16 * caption.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure((width, height), dpi=150, layout=layout)
    axes = figure.subplots()
    axes.barh(
        range(len(found)),
        [mean.value for mean in means],
        xerr=[mean.deviation or 0.0 for mean in means],
        color=BAR,
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.25"},
        height=0.7,
    )
    axes.errorbar(
        [mean.value for _, mean in whole],
        [place + BESIDE for place, _ in whole],
        xerr=[mean.deviation or 0.0 for _, mean in whole],
        fmt="D",
        color=WHOLE,
        markerfacecolor="white",
        elinewidth=0.9,
        capsize=2,
    )
    axes.set_yticks(range(len(found)), [literal(label) for label in labels], fontsize=SMALL)
    axes.invert_yaxis()
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_xlabel("forgetting after the next stage (points)", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle("Shares and mixtures", fontsize=12, fontweight="bold")
    figure.supxlabel(caption, fontsize=SMALL, color="0.3")
    return figure


def _by_chain(
    rows: Sequence[dict[str, Any]],
) -> dict[tuple[Setting, str], list[dict[str, Any]]]:
    """The rows of the chains that are shown, setting by setting."""
    found: dict[tuple[Setting, str], list[dict[str, Any]]] = {}
    for row in rows:
        if is_shown(Chain.parse(row["chain"])):
            setting = Setting.from_row(row["sweep"], row["settings"], row["learning_rates"])
            found.setdefault((setting, row["chain"]), []).append(row)
    return dict(sorted(found.items(), key=lambda one: (one[0][0].position, one[0][1])))


def _title(mixture: Mixture, named: Mapping[str, str]) -> str:
    """As ``BBQ 50 % + TQA``."""
    return " + ".join(
        named.get(part.task, part.task) + ("" if part.fraction == 1 else f" {_percent(part)} %")
        for part in mixture
    )


def _percent(part: Part) -> str:
    return f"{100 * part.fraction:g}"


def _marked(found: Sequence[Forgotten]) -> list[str]:
    """The chains with what tells their settings apart."""
    marks = titles([one.setting for one in found])
    return [one.chain + mark for one, mark in zip(found, marks, strict=True)]


def _cells(chain: str, one: Forgotten) -> tuple[str, ...]:
    return (
        chain,
        one.task,
        str(one.points.num_seeds),
        str(one.before),
        str(one.after),
        MISSING if one.chance is None else fixed(one.chance),
        str(one.points),
        shown(one.whole),
    )
