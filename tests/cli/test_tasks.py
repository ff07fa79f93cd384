"""``python -m raysweep.tasks``: the paper's Table 2, an example, a check of files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from raysweep.tasks.registry import PAPER_TASKS
from tests.tasks.own_task import ROWS, write_task
from tests.tasks.releases import numbered, small_release, write_release


def run(*arguments: object, expect: int = 0) -> str:
    command = [sys.executable, "-m", "raysweep.tasks", *map(str, arguments)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == expect, done.stderr
    if expect == 2:
        assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def cells(output: str, task: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if re.match(rf"│ {task} ", line)]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_table_2_of_the_real_files(real_data: Path) -> None:
    output = run("--data", real_data)
    assert " ".join(cells(output, "arc_easy")[1:8]) == "2,241 2,241 500 2,363 2,365 2 2,365"
    assert " ".join(cells(output, "csqa")[1:8]) == "2,242 2,242 500 1,221 1,221 0 1,221"
    assert " ".join(cells(output, "csqa2")[1:8]) == "2,242 2,242 500 2,540 2,541 0 2,541"
    assert " ".join(cells(output, "toxigen")[1:8]) == "2,236 2,236 500 3,656 4,455 182 4,455"
    assert " ".join(cells(output, "bbq")[1:8]) == "2,241 2,241 500 28,621 31,107 1,976 31,107"
    assert cells(output, "bbq")[8:] == ["9", "9", "3", "3"]
    assert cells(output, "toxigen")[8:] == ["13", "13", "2", "2"]
    assert cells(output, "saferdialogues")[2] == "6,306"
    for needle in (
        "bbq: read 31,372 rows",
        "265 items in the nine categories, of which 232 are rows of the data and 33 fillers",
        "left out of test: 7, 3 choices instead of four",
        "left out of pool: 22, same text with different answers",
        "get saferdialogues/saferdialogues_v0.4.tar.gz from parl.ai/",
    ):
        assert needle in output


def test_the_closed_world_and_a_search_space(tmp_path: Path) -> None:
    output = run()
    for name, task in PAPER_TASKS.items():
        assert task.sizes is not None
        assert cells(output, name)[1] == ("2,241" if not task.labels else f"{task.sizes.train:,}")
    space = {"name": "x", "chains": [["csqa"]], "data": {"num_train": 50, "num_test": 30}}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    output = run("--space", tmp_path / "space.yaml")
    assert cells(output, "csqa")[1:5] == ["50", "2,242", "400", "30"]
    assert "toxigen" not in output


def test_an_example_with_its_answer_tokens_marked() -> None:
    output = run("--show", "csqa2")
    assert output.startswith("Given the following statement, choose whether")
    marked = "".join(re.findall("⟦(.*?)⟧", output))
    assert re.fullmatch(r"The answer is (yes|no)\.</s>", marked)
    assert "answers: yes = 'The answer is yes.'; no = 'The answer is no.'" in output
    assert run("--show", "csqa2", "--index", 1) != output
    assert "did you mean 'csqa2'" in run("--show", "csq2", expect=2)
    assert "there are 2,242 training rows" in run("--show", "csqa2", "--index", 9999, expect=2)


def test_files_are_checked_to_the_last_row(tmp_path: Path) -> None:
    for name in ("csqa", "toxigen"):
        write_release(tmp_path, name, small_release(name))
    output = run("--validate", tmp_path)
    assert "csqa: 60 rows, 0 wrong" in output
    assert "toxigen: 60 rows, 0 wrong" in output
    assert "bbq: not there" in output
    wrong = small_release("csqa")
    wrong["train"][4] = {**numbered("csqa", 4), "answerKey": "F"}
    wrong["train"][7] = {**numbered("csqa", 7), "id": "csqa-3"}
    del wrong["test"][2]["question"]["stem"]
    write_release(tmp_path, "csqa", wrong)
    output = run("--validate", tmp_path, expect=2)
    train, dev = (tmp_path / "csqa" / f"{part}_rand_split.jsonl" for part in ("train", "dev"))
    assert f"{train}:5: field answerKey = 'F' is not one of the choices A, B, C, D, E" in output
    assert f"{train}:8: the id 'csqa-3' stands at {train}:4 already" in output
    assert f"{dev}:3: field question.stem is missing" in output
    assert "csqa: 60 rows, 3 wrong" in output


def test_a_task_of_ones_own_is_checked_and_shown(tmp_path: Path) -> None:
    path = write_task(tmp_path, files={"pool": "all.jsonl"})
    assert "all.jsonl: no such file" in run("--validate", path, expect=2)
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    assert "risk: 60 rows, 0 wrong" in run("--validate", path)
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*ROWS, {}]))
    assert "all.jsonl:61: field risky is not there" in run("--validate", path, expect=2)


def test_a_source_that_holds_nothing(tmp_path: Path) -> None:
    assert "no such file or folder" in run("--data", tmp_path / "none", expect=2)
    output = run("--data", tmp_path, expect=2)
    assert output.count("\n") == 1
    assert "holds no task's files" in output


@pytest.mark.parametrize("what", ["none", "file.txt"])
def test_nothing_to_check(tmp_path: Path, what: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    run("--validate", tmp_path / what, expect=2)
