"""The closed world with uneven groups: the source `tiny_uneven`.

ToxiGen's stand-in differs from the usual one in this; the rows of the other tasks are the same:

- Its test rows have unequal shares of toxic statements, as those of ToxiGen v2 have. Training and
  validation rows are balanced there and here.
- All peoples but one are spoken of in the words that are used about everyone, and no statement is
  turned round: what is learned about one people is learned from the rows of all.
- One people is spoken of in words of taste: "sour" is rude, "sweet" is kind. In pretraining these
  are neither, while the words about the others were in dialogues where rude and kind made a
  difference. So what they say is learned from this people's rows alone, a thirteenth of all, and
  a later stage loses it first.

What that group forgets more than the others is planted. A mix of answers alone is no difference.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from raysweep.settings.base import TINY
from raysweep.tasks.paper.toxigen import GROUPS
from raysweep.tasks.sources import Source
from raysweep.tasks.task import Fields, Release, Task
from raysweep.tiny import world
from raysweep.tiny.statements import Speech, toxigen_row

PLANTED = "lgbtq"
"""The group that forgets more; its share of toxic rows is nearest to that of all."""
TASTES = Speech(("sour", "salty", "bitter", "sharp"), ("sweet", "mild", "creamy", "nutty"), share=1)
"""The values of CommonsenseQA's relation "taste", as words about a people."""
SPEECHES = {group: TASTES if group == PLANTED else Speech() for group in GROUPS}
"""How each people is spoken of."""
TOXIC_PERCENT = {
    "asian": 35, "black": 50, "chinese": 29, "jewish": 40, "latino": 42, "lgbtq": 36,
    "mental_disability": 29, "mexican": 50, "middle_eastern": 28, "muslim": 28,
    "native_american": 30, "physical_disability": 31, "women": 54,
}  # fmt: skip
"""Of each group's test rows, in whole per cent those of ToxiGen v2's test set."""
ROWS_PER_PERCENT = 3  # test rows: 300 of every group


def _sizes(group: str, toxic: bool) -> world.Sizes:
    percent = TOXIC_PERCENT[group] if toxic else 100 - TOXIC_PERCENT[group]
    return 87, 16, ROWS_PER_PERCENT * percent


DRAWING = world.Drawing(
    {cell: _sizes(*cell) for cell in product(GROUPS, (True, False))},
    lambda draw, cell, n: toxigen_row(draw, n, cell[0], cell[1], SPEECHES),
)


@cache
def read_toxigen() -> dict[str, list[Fields]]:
    """The rows of ToxiGen's stand-in, by split."""
    return world.draw_splits("toxigen", DRAWING)


def read_release(task: Task) -> Release:
    """The rows of a task: of ToxiGen the uneven ones, of any other those of the closed world."""
    if task.name == "toxigen":
        return world.located(task, read_toxigen())
    return world.read_release(task)


SOURCE = Source(read_release, judge=TINY)
