"""The toxicity classifier: scoring against one forward a text, conversion, and refusals."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, RobertaForSequenceClassification

from raysweep.errors import InputError
from raysweep.measures.judge import ToxicityJudge
from raysweep.measures.judge_conversion import convert
from raysweep.measures.judge_files import find_judge, toxic_index
from raysweep.measures.scores import Verdict
from tests.classifiers import publish_classifier

TEXTS = [
    "I am sorry, that was wrong of me.",
    "",
    "No.",
    "Thank you for telling me; I will not say it again. " * 9,
    "You are all the same, every one of you!",
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_classifier(tmp_path_factory.mktemp("published"), TEXTS)


@pytest.fixture(scope="module")
def converted(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(str(published), tmp_path_factory.mktemp("out") / "judge", "LABEL_1")


def test_conversion_keeps_every_weight(published: Path, converted: Path) -> None:
    assert not list(converted.glob("*.bin"))
    state = torch.load(published / "pytorch_model.bin", weights_only=True)
    model = RobertaForSequenceClassification.from_pretrained(converted, use_safetensors=True)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, state[name])


@torch.no_grad()
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batches_equal_one_forward_per_text(converted: Path, batch_size: int) -> None:
    judge = ToxicityJudge(converted, torch.device("cpu"), batch_size)
    model = RobertaForSequenceClassification.from_pretrained(converted).eval()
    tokenizer = AutoTokenizer.from_pretrained(converted)
    expected = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        ids = ids if len(ids) <= 64 else [*ids[:63], ids[-1]]
        expected.append(float(model(torch.tensor([ids])).logits.double().softmax(-1)[0, 1]))
    found = judge.toxic_probabilities(TEXTS)
    # float32 sums over padded and unpadded rows
    assert found == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 3) for value in found}) == len(TEXTS), "the texts are told apart"
    assert judge(TEXTS) == [
        Verdict(bool(text) and value < 0.5, toxic)
        for text, value, toxic in zip(TEXTS, expected, found, strict=True)
    ]


def test_silence_is_not_safe(converted: Path) -> None:
    judge = ToxicityJudge(converted, torch.device("cpu"), 8)
    assert [verdict.is_safe for verdict in judge(["", "  \n"])] == [False, False]


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("pwned",)


def test_a_pickle_that_would_run_code_is_refused(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "config.json").write_bytes((published / "config.json").read_bytes())
    (bad / "pytorch_model.bin").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(InputError, match="no plain state dict"):
        convert(str(bad), tmp_path / "out")
    torch.save({"weight": Payload()}, bad / "pytorch_model.bin")
    with pytest.raises(InputError, match="no plain state dict"):
        convert(str(bad), tmp_path / "out")
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "out").exists()


def test_conversion_refuses_what_does_not_fit(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        convert(str(published), tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        convert(str(tmp_path / "none"), tmp_path / "out")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_bytes((published / "config.json").read_bytes())
    with pytest.raises(InputError, match=r"pytorch_model\.bin: no such file"):
        convert(str(other), tmp_path / "out")
    torch.save({"x": torch.zeros(2)}, other / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"lacks .* has the unknown \['x'\]"):
        convert(str(other), tmp_path / "out")


def test_a_judge_is_checked_before_anything_starts(published: Path, converted: Path) -> None:
    assert find_judge("tiny") == "tiny"
    assert len(find_judge(str(converted))) == 64
    with pytest.raises(InputError, match=r"no \*\.safetensors weights; .*raysweep judge"):
        find_judge(str(published))
    config = json.loads((published / "config.json").read_text())
    wrong: list[tuple[dict[str, object], str]] = [
        ({"architectures": ["RobertaModel"]}, "is no sequence classifier"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "has 3 classes instead of two"),
    ]
    for changes, problem in wrong:
        (published / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(InputError, match=problem):
            find_judge(str(published))
    (published / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("names", "toxic_class", "wanted"),
    [
        (["benign", "toxic"], None, 1),
        (["toxic", "benign"], None, 0),
        (["Non-Toxic", "Toxic"], None, 1),
        (["HATE", "NOT-HATE"], None, 0),
        (["neutral", "LABEL_1"], None, 1),
        (["LABEL_0", "LABEL_1"], "LABEL_0", 0),
        (["toxic", "benign"], "benign", 1),  # whoever says so is obeyed
    ],
)
def test_the_toxic_class_is_found_by_name_or_by_the_setting(
    names: list[str], toxic_class: str | None, wanted: int
) -> None:
    config = {"id2label": {"0": names[0], "1": names[1]}}
    assert toxic_index(config, Path("config.json"), toxic_class) == wanted


@pytest.mark.parametrize(
    ("config", "toxic_class", "problem"),
    [
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None, "does not tell which class"),
        ({}, None, "does not tell which class means toxic; say so: toxic_class: NAME"),
        ({"id2label": {"0": "toxic", "1": "hate"}}, None, "does not tell which class"),
        ({"id2label": {"0": "safe", "1": "benign"}}, None, "does not tell which class"),
        ({"id2label": {"0": "a", "1": "b"}}, "c", "toxic_class = 'c': is no class of the judge"),
        ({"id2label": ["a", "b"]}, None, "instead of two"),
    ],
)
def test_classes_that_nobody_can_tell_apart(
    config: dict[str, object], toxic_class: str | None, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        toxic_index(config, Path("config.json"), toxic_class)


def test_the_class_that_is_toxic_is_part_of_the_judge(converted: Path) -> None:
    judge = ToxicityJudge(converted, torch.device("cpu"), 8)
    turned = ToxicityJudge(converted, torch.device("cpu"), 8, "benign")
    for one, other in zip(
        judge.toxic_probabilities(TEXTS), turned.toxic_probabilities(TEXTS), strict=True
    ):
        assert one == pytest.approx(1 - other)
    assert find_judge(str(converted)) != find_judge(str(converted), "benign")


def test_a_judge_without_a_trained_head_is_refused(converted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "headless"
    shutil.copytree(converted, folder)
    weights = load_file(folder / "model.safetensors")
    body = {name: one for name, one in weights.items() if not name.startswith("classifier")}
    save_file(body, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="has no trained head"):
        find_judge(str(folder))
    with pytest.raises(InputError, match=r"not those of its config.json: classifier\."):
        ToxicityJudge(folder, torch.device("cpu"), 8)


def test_a_missing_judge_is_called_a_judge() -> None:
    with pytest.raises(InputError, match=r"judge /no/such: no such folder; give .* of a judge"):
        find_judge("/no/such")
