"""Forgetting by global batch size, everything else equal (the paper's sections 3.1 and 9.4).

A series is a chain at several sizes of both stages, or of one stage where only that one's varies.
As many steps of a larger batch see more rows. Each size is compared with the smallest, seed by
seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from matplotlib.figure import Figure

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, corrected, pooled
from raysweep.store.storage import Storage

from ..data.load import MeasuredTask, Pair, forgetting_by_seed, sort_key, task_position
from ..data.mean import MISSING, fixed, mean_of
from ..data.setting import Setting, titles
from ..drawing.booktabs import Booktabs, Column
from ..drawing.line_panels import Line, LinePanel, about_seeds, draw_lines
from ..exhibit import Exhibit, Missing, Reading

NAMES = ("global_batch_size1", "global_batch_size2")
COLUMNS = (
    Column("Chain"),
    Column("varied"),
    Column("batch", is_number=True),
    Column("seeds", is_number=True),
    Column("forgetting", is_number=True),
    Column("change", "Against the smallest", "Against smallest", is_number=True),
    Column("95 % interval", "Against the smallest", "Against smallest", is_number=True),
    Column("p", "Against the smallest", "Against smallest", is_number=True),
    Column("p (Holm)", "Against the smallest", "Against smallest", is_number=True),
)
NOTES = (
    "Forgetting of the first task after the second stage, mean ± sample standard deviation over "
    "seeds; as many steps at each size.",
    "Change: paired by seed; interval and p by a t test whose deviation between seeds is pooled "
    "over the rows of a first task. Holm: over all rows.",
)
NONE = (
    "no chain of two whole tasks was trained with several global batch sizes in one sweep, such as "
    "global_batch_size: {grid: [16, 128]} (stages that are in the store are not trained again)"
)


class Varied(StrEnum):
    """Whose batch size it is."""

    BOTH = "both stages"
    FIRST = "first stage"
    SECOND = "second stage"


@dataclass(frozen=True)
class Series:
    """A chain at several sizes.

    Attributes:
        chain: its setting lacks the size that varies.
        points: forgetting of the first task by size and seed, in points.
        changes: by size, less forgetting at the smallest; p-values corrected for all series.
    """

    varied: Varied
    chain: Pair
    points: Mapping[int, Mapping[Replicate, float]] = field(hash=False)
    changes: Mapping[int, Difference] = field(hash=False)


Point = tuple[Varied, Pair, int]
"""A series and a size."""


def batch_sizes(results: Storage) -> tuple[Series, ...]:
    """All series of at least two sizes."""
    found: dict[tuple[Varied, Pair], dict[int, Mapping[Replicate, float]]] = defaultdict(dict)
    for chain, seeds in forgetting_by_seed(results).items():
        for varied, size, rest in _series_of(chain):
            found[varied, rest][size] = seeds
    several = {name: points for name, points in found.items() if len(points) > 1}
    changes = _changes(several)
    series = [
        Series(
            varied,
            chain,
            dict(sorted(points.items())),
            {size: one for (*name, size), one in changes.items() if name == [varied, chain]},
        )
        for (varied, chain), points in several.items()
    ]
    return tuple(sorted(series, key=_position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """Those of all chains."""
    series = reading.of(batch_sizes)
    if not series:
        return Missing(NONE)
    table = listing(series)
    return Exhibit(table, lambda: picture(series), table.texts())


def listing(series: Sequence[Series]) -> Booktabs:
    """The numbers."""
    sections = tuple(
        tuple(_cells(one.chain.title + mark, one, size) for size in one.points)
        for one, mark in zip(series, _marks(series), strict=True)
    )
    title = "Forgetting (points) by global batch size; larger is worse"
    return Booktabs(title, COLUMNS, sections, NOTES)


def picture(series: Sequence[Series]) -> Figure:
    """A row for what varies, a panel for each first task, a line for each chain."""
    tasks = sorted({one.chain.first for one in series}, key=task_position)
    marked = list(zip(series, _marks(series), strict=True))
    rows = []
    for varied in dict.fromkeys(one.varied for one in series):
        same = [(one, mark) for one, mark in marked if one.varied is varied]
        rows.append([_panel(varied, task, same) for task in tasks])
    means = [mean for row in rows for panel in row if panel for mean in panel.means]
    title = "Forgetting of the first task by global batch size"
    caption = f"{about_seeds(means)}; as many steps at each size; larger is worse"
    return draw_lines(rows, title, caption)


def _series_of(chain: Pair) -> Iterator[tuple[Varied, int, Pair]]:
    """What the chain is a point of: the size there, and the chain without it."""
    setting = chain.setting
    first, second = (dict(setting.others).get(name) for name in NAMES)
    for varied, size, names in (
        (Varied.BOTH, first if first == second else None, NAMES),
        (Varied.FIRST, first, NAMES[:1]),
        (Varied.SECOND, second, NAMES[1:]),
    ):
        if size is not None:
            others = tuple((name, value) for name, value in setting.others if name not in names)
            rest = Setting(setting.learning_rates, others)
            yield varied, int(size), Pair(chain.first, chain.second, rest)


def _changes(
    found: Mapping[tuple[Varied, Pair], Mapping[int, Mapping[Replicate, float]]],
) -> dict[Point, Difference]:
    """Of each size but the smallest."""
    samples: dict[MeasuredTask, dict[Point, list[float]]] = defaultdict(dict)
    for (varied, chain), points in found.items():
        smallest = points[min(points)]
        for size in sorted(points)[1:]:
            common = points[size].keys() & smallest.keys()
            differences = {one: points[size][one] - smallest[one] for one in common}
            samples[chain.first][varied, chain, size] = independent(differences)
    changes: dict[Point, Difference] = {}
    for of_task in samples.values():  # what deviates between seeds differs by task: pooled within
        changes |= pooled(of_task)
    return corrected(changes)


def _panel(
    varied: Varied, task: MeasuredTask, series: Sequence[tuple[Series, str]]
) -> LinePanel | None:
    lines = [
        Line(
            f"then {one.chain.second.title}{mark}",
            one.chain.second.title,
            mark + one.chain.second.title,
            {size: mean_of(seeds.values()) for size, seeds in one.points.items()},
        )
        for one, mark in series
        if one.chain.first == task
    ]
    across = f"global batch size of {varied.value} (rows a step)"
    up = "forgetting (points)"
    return (
        LinePanel(f"{task.title} first", across, up, tuple(lines), is_forgetting=True)
        if lines
        else None
    )


def _cells(title: str, one: Series, size: int) -> tuple[str, ...]:
    mean = mean_of(one.points[size].values())
    cells = (title, one.varied.value, str(size), str(mean.num_seeds), str(mean))
    change = one.changes.get(size)
    if change is None:
        return (*cells, *[MISSING] * 4)
    if change.interval is None:
        return (*cells, fixed(change.value), *[MISSING] * 3)
    low, high = map(fixed, change.interval)
    p, p_holm = (MISSING if p is None else f"{p:.3f}" for p in (change.p, change.p_holm))
    return (*cells, fixed(change.value), f"{low} to {high}", p, p_holm)


def _marks(series: Sequence[Series]) -> list[str]:
    """What tells the settings of those apart that vary alike."""
    found: dict[Series, str] = {}
    for varied in Varied:
        same = [one for one in series if one.varied is varied]
        found |= zip(same, titles([one.chain.setting for one in same]), strict=True)
    return [found[one] for one in series]


def _position(one: Series) -> tuple[object, ...]:
    order = list(Varied).index(one.varied)
    first = task_position(one.chain.first)
    return order, first, sort_key(one.chain), one.chain.setting.position
