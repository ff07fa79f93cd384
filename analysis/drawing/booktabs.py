"""A table with grouped columns and few rules, in the terminal and as a picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from .literal import literal

POINTS_PER_INCH = 72
FONT_SIZE = 10.0  # points, as all lengths below
LINE_HEIGHT = 18.0
COLUMN_GAP = 16.0
MARGIN = 14.0
TITLE_LINES = 1.4  # heights in lines, from here
GROUP_LINES = 1.2
RULE_LINES = 0.35
HEAD_LINES = TITLE_LINES + RULE_LINES + 1
NOTE_LINES = 0.8
DPI = 160
MAX_PIXELS = 30_000  # of a side; matplotlib refuses pictures above 65,536


@dataclass(frozen=True)
class Column:
    """A heading.

    Attributes:
        group: what several neighbouring columns have in common; empty for none.
        short_group: the same for narrow terminals.
    """

    name: str
    group: str = ""
    short_group: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Booktabs:
    """Everything that is printed of a table.

    Attributes:
        sections: blocks of rows, with a rule between them; each row has a cell per column.
        notes: lines below the table.
    """

    title: str
    columns: tuple[Column, ...]
    sections: tuple[tuple[tuple[str, ...], ...], ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For a rich console; where it is too narrow, a table for each group of columns."""
        yield Text(self.title, "bold")
        everything = range(len(self.columns))
        natural = Measurement.get(
            console, options.update(max_width=sys.maxsize), self._rich_table(everything)
        )
        is_narrow = natural.maximum > options.max_width
        for indices in self._parts() if is_narrow else [everything]:
            yield Text()
            yield self._rich_table(indices)
        yield from (Text(note, "dim") for note in self.notes)

    def _parts(self) -> Iterator[list[int]]:
        """The columns of each group, after those of none."""
        for wanted in dict.fromkeys(column.group for column in self.columns if column.group):
            yield [i for i, column in enumerate(self.columns) if column.group in ("", wanted)]

    def _rich_table(self, indices: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for column in (self.columns[index] for index in indices):
            # A word a line: the numbers, not the headings, decide how wide the table is.
            heading = "\n".join([column.short_group, *column.name.split("_")]).strip()
            table.add_column(
                Text(heading),
                justify="right" if column.is_number else "left",
                vertical="bottom",
                overflow="fold",
            )
        for section in self.sections:
            for row in section:
                cells = (Text(row[index]) for index in indices)
                table.add_row(*cells, end_section=row is section[-1])
        return table

    def frame(self) -> DataFrame:
        """The cells, under headings that hold their group's name, too."""
        headings = [" ".join(filter(None, (one.group, one.name))) for one in self.columns]
        return DataFrame(self.rows, columns=headings)

    def texts(self) -> dict[str, str]:
        """The table by the ending of a file: ``csv``, ``md`` (Markdown) and ``tex`` (LaTeX)."""
        frame = self.frame()
        sides = ["right" if one.is_number else "left" for one in self.columns]
        style = frame.style.format(escape="latex").format_index(escape="latex", axis="columns")
        latex = style.hide(axis="index").to_latex(
            hrules=True,
            column_format="".join(side[0] for side in sides),
            caption=self.title.replace("%", r"\%"),
        )
        markdown = frame.to_markdown(index=False, colalign=sides, disable_numparse=True)
        return {
            "csv": frame.to_csv(index=False),
            "md": "\n\n".join([self.title, markdown, *self.notes]) + "\n",
            "tex": latex + "".join(f"% {note}\n" for note in self.notes),
        }

    def picture(self) -> Figure:
        """The picture, as large as its text needs."""
        return _Picture(self).drawn()


class _Picture:
    """Lays the text out in points from the top left corner; nothing is scaled to fit."""

    def __init__(self, table: Booktabs) -> None:
        self.table = table
        self.figure = Figure(dpi=DPI)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()
        self.widths = [self._column_width(index) for index in range(len(table.columns))]
        self.starts = [
            MARGIN + sum(self.widths[:index]) + index * COLUMN_GAP
            for index in range(len(self.widths))
        ]
        body = self.starts[-1] + self.widths[-1] + MARGIN
        texts = [(table.title, FONT_SIZE + 1, "bold")]
        texts += [(note, FONT_SIZE - 2, "normal") for note in table.notes]
        self.width = max(body, *(2 * MARGIN + self._text_width(*text) for text in texts))
        body_lines = sum(len(section) + RULE_LINES for section in table.sections)
        num_lines = (
            HEAD_LINES + self._group_lines + body_lines + RULE_LINES + NOTE_LINES * len(table.notes)
        )
        self.height = 2 * MARGIN + num_lines * LINE_HEIGHT
        self.top = MARGIN

    def drawn(self) -> Figure:
        """The figure, drawn from top to bottom."""
        inches = self.width / POINTS_PER_INCH, self.height / POINTS_PER_INCH
        self.figure = Figure(inches, dpi=min(DPI, MAX_PIXELS / max(inches)))
        self._write(self.table.title, MARGIN, size=FONT_SIZE + 1, weight="bold")
        self._advance(TITLE_LINES)
        self._rule(1.2)
        self._headings()
        for number, section in enumerate(self.table.sections):
            self._rule(0.4 if number else 0.8)
            for row in section:
                self._row(row)
        self._rule(1.2)
        for note in self.table.notes:
            self._write(note, MARGIN, size=FONT_SIZE - 2, color="0.3")
            self._advance(NOTE_LINES)
        return self.figure

    @property
    def _group_lines(self) -> float:
        """Of the line above the headings, where columns have groups."""
        return GROUP_LINES if any(column.group for column in self.table.columns) else 0.0

    def _headings(self) -> None:
        for group, first, last in self._groups():
            left, right = self.starts[first], self.starts[last] + self.widths[last]
            if group:
                self._write(group, (left + right) / 2, align="center")
                self._line(left, right, self.top + LINE_HEIGHT, 0.6)
        self._advance(self._group_lines)
        self._row(tuple(column.name for column in self.table.columns))

    def _groups(self) -> Iterator[tuple[str, int, int]]:
        indices = range(len(self.table.columns))
        for group, members in groupby(indices, lambda index: self.table.columns[index].group):
            positions = list(members)
            yield group, positions[0], positions[-1]

    def _row(self, cells: tuple[str, ...]) -> None:
        placed = zip(cells, self.table.columns, self.starts, self.widths, strict=True)
        for cell, column, start, width in placed:
            if column.is_number:
                self._write(cell, start + width, align="right")
            else:
                self._write(cell, start)
        self._advance(1)

    def _rule(self, thickness: float) -> None:
        self._advance(0.4 * RULE_LINES)
        self._line(MARGIN, self.starts[-1] + self.widths[-1], self.top, thickness)
        self._advance(0.6 * RULE_LINES)

    def _advance(self, num_lines: float) -> None:
        self.top += num_lines * LINE_HEIGHT

    def _write(
        self,
        text: str,
        x: float,
        align: str = "left",
        size: float = FONT_SIZE,
        weight: str = "normal",
        color: str = "black",
    ) -> None:
        baseline = 1 - (self.top + 0.72 * LINE_HEIGHT) / self.height
        self.figure.text(
            x / self.width,
            baseline,
            literal(text),
            ha=align,
            size=size,
            weight=weight,
            color=color,
        )

    def _line(self, left: float, right: float, y: float, thickness: float) -> None:
        ends = [left / self.width, right / self.width]
        height = 1 - y / self.height
        self.figure.add_artist(Line2D(ends, [height, height], color="black", linewidth=thickness))

    def _column_width(self, index: int) -> float:
        texts = [self.table.columns[index].name, *(row[index] for row in self.table.rows)]
        return max(map(self._text_width, texts))

    def _text_width(self, text: str, size: float = FONT_SIZE, weight: str = "normal") -> float:
        artist = self.figure.text(0, 0, literal(text), size=size, weight=weight)
        width = artist.get_window_extent(self.renderer).width * POINTS_PER_INCH / DPI
        artist.remove()
        return width
