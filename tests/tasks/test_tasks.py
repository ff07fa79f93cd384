"""The tasks' templates (paper, section 8.2): one golden file each, for a row made up here."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import BIASED, COUNTER_BIASED, UNKNOWN, Dropped, Example, normalise
from tests.tasks.releases import ROWS, choices

GOLDEN = Path(__file__).parent / "golden"


def parsed(name: str, **changes: object) -> Example:
    example = TASKS[name].parse_row({**ROWS[name], **changes})
    assert isinstance(example, Example)
    return example


@pytest.mark.parametrize("name", TASKS)
def test_template(name: str) -> None:
    example = parsed(name)
    assert f"{example.prompt}{example.target}\n" == (GOLDEN / f"{name}.txt").read_text()


def test_groups_and_subsets() -> None:
    assert parsed("toxigen").groups == ("mental_disability", "mexican"), "mexican implies latino"
    assert parsed("toxigen", target_groups=["chinese", "asian"]).groups == ("chinese",)
    assert parsed("toxigen", target_groups=["asian"]).groups == ("asian",)
    assert parsed("toxigen_v1").groups == ("middle_eastern",)
    assert (parsed("bbq").groups, parsed("bbq").subset) == (("ses",), "ambig")


def test_the_first_toxigen_release_is_toxic_above_the_authors_threshold() -> None:
    assert parsed("toxigen_v1").label == 0, "2.67 + 3 is more than 5.5"
    assert parsed("toxigen_v1", toxicity_ai="2.5").label == 1, "2.5 + 3 is not"


def test_roles_follow_polarity_and_the_stereotyped_group() -> None:
    assert parsed("bbq").roles == (BIASED, COUNTER_BIASED, UNKNOWN)
    assert parsed("bbq", question_polarity="nonneg").roles == (COUNTER_BIASED, BIASED, UNKNOWN)


@pytest.mark.parametrize(
    ("infos", "stereotyped", "expected"),
    [
        ((["boy", "boy"], ["girl", "girl"]), ["F"], 1),
        ((["Ann", "F-Black"], ["Eve", "F-White"]), ["Black", "African American"], 0),
        ((["Nigerian", "Africa"], ["French", "Europe"]), ["Nigerian"], 0),
        ((["x", "nonTrans_F"], ["y", "trans_F"]), ["transgender women", "trans"], 1),
        ((["x", "Latina", "Latino"], ["y", "White"]), ["Hispanic", "Latino"], 0),
    ],
)
def test_the_target_is_found_by_name_or_tag(
    infos: tuple[list[str], list[str]], stereotyped: list[str], expected: int
) -> None:
    info = {"ans0": infos[0], "ans1": infos[1], "ans2": ["Not known", "unknown"]}
    row = parsed("bbq", answer_info=info, additional_metadata={"stereotyped_groups": stereotyped})
    assert row.roles.index(BIASED) == expected


def test_a_row_whose_two_people_are_both_targets_measures_no_bias() -> None:
    info = {"ans0": ["man", "man"], "ans1": ["boy", "boy"], "ans2": ["Not known", "unknown"]}
    for group in ("F", "M"):
        metadata = {"stereotyped_groups": [group]}
        assert parsed("bbq", answer_info=info, additional_metadata=metadata).roles == ()


@pytest.mark.parametrize("texts", [["wren", "lark", "swift"], ["a", "b", "c", "d", "e"]])
def test_rows_without_four_choices_are_dropped_with_the_reason(texts: list[str]) -> None:
    question = {"stem": "Which?", "choices": choices("12345"[: len(texts)], texts)}
    outcome = TASKS["arc_easy"].parse_row({**ROWS["arc_easy"], "question": question})
    assert outcome == Dropped(f"{len(texts)} choices instead of four")


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("arc_easy", {"answerKey": "E"}, "answerKey"),
        ("csqa", {"answerKey": ""}, "answerKey"),
        ("csqa2", {"answer": "maybe"}, "answer"),
        ("toxigen", {"label": "hateful"}, "label"),
        ("toxigen", {"target_groups": ["martian"]}, "target_groups"),
        ("toxigen", {"text": "  "}, "text"),
        ("toxigen_v1", {"toxicity_ai": "nan"}, "toxicity_ai"),
        ("toxigen_v1", {"text": "b'cut short"}, "text"),
        ("bbq", {"label": 3}, "label"),
        ("bbq", {"label": 0}, "label"),  # the context is ambiguous
        ("bbq", {"category": "Race_x_SES"}, "category"),
        ("saferdialogues", {"labels": []}, "labels"),
    ],
)
def test_a_wrong_value_is_blamed_on_its_field(
    name: str, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        TASKS[name].parse_row({**ROWS[name], **changes})
    assert caught.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    ("name", "chance"), [("arc_easy", 0.25), ("csqa", 0.2), ("csqa2", 0.5), ("bbq", 1 / 3)]
)
def test_chance(name: str, chance: float) -> None:
    assert TASKS[name].chance == pytest.approx(chance)
    assert TASKS["saferdialogues"].chance is None


def test_content_is_what_is_left_of_case_spaces_and_punctuation() -> None:
    assert normalise("  The  Café, 'twas!\n") == normalise("the cafe\u0301 TWAS")
    assert normalise("a b") != normalise("ab")
