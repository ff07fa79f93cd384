from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from matplotlib.image import imread
from rich.console import Console

from analysis.drawing.booktabs import Booktabs, Column
from tests.analysis.pictures import is_framed_in_white

TABLE = Booktabs(
    "A title",
    (
        Column("name"),
        Column("first", "Left→Right", "L→R", is_number=True),
        Column("second", "Left→Right", "L→R", is_number=True),
    ),
    ((("a $b$", "1.0 ± 0.5", "–"), ("c", "2.0", "[3]")), (("d", "4.0", "5.0"),)),
    ("A note that is longer than the whole of the table above is wide, and more.",),
)


def _printed(width: int) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(TABLE)
    return capture.get()


def test_the_terminal_shows_every_cell() -> None:
    text = _printed(200)
    for cell in ("A title", "a $b$", "1.0 ± 0.5", "[3]", "L→R", "second", TABLE.notes[0]):
        assert cell in text


def test_a_narrow_terminal_shows_the_groups_one_below_the_other() -> None:
    wide = Booktabs(
        TABLE.title,
        (*TABLE.columns, Column("third", "Another", "Other", is_number=True)),
        ((("a", "1.0", "2.0", "3.0" * 9),),),
        (),
    )
    console = Console(width=40)
    with console.capture() as capture:
        console.print(wide)
    lines = [line.split() for line in capture.get().splitlines()]
    assert ["a", "1.0", "2.0"] in lines
    assert ["a", "3.0" * 9] in lines


def test_the_picture_is_as_large_as_its_text(tmp_path: Path) -> None:
    TABLE.picture().savefig(tmp_path / "table.png")
    assert is_framed_in_white(tmp_path / "table.png")
    height, width, _ = imread(tmp_path / "table.png").shape
    longer = Booktabs(TABLE.title, TABLE.columns, TABLE.sections * 10, TABLE.notes)
    longer.picture().savefig(tmp_path / "longer.png")
    taller, same, _ = imread(tmp_path / "longer.png").shape
    assert same == width
    assert taller > 3 * height


def test_a_very_long_table_still_fits_into_a_picture(tmp_path: Path) -> None:
    longest = Booktabs(TABLE.title, TABLE.columns, TABLE.sections[1:] * 800, TABLE.notes)
    longest.picture().savefig(tmp_path / "longest.png")
    assert imread(tmp_path / "longest.png").shape[0] <= 30_001


def test_programs_read_the_cells_and_papers_take_them() -> None:
    texts = TABLE.texts()
    with StringIO(texts["csv"]) as stream:
        heading, *rows = csv.reader(stream)
    assert heading == ["name", "Left→Right first", "Left→Right second"]
    assert [tuple(row) for row in rows] == list(TABLE.rows)
    assert "| a $b$  |          1.0 ± 0.5 |                   – |" in texts["md"]
    assert TABLE.notes[0] in texts["md"]
    assert r"a \$b\$ & 1.0 ± 0.5 & – \\" in texts["tex"]
    assert r"\begin{tabular}{lrr}" in texts["tex"]
