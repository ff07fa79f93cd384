"""The toxicity classifier: scoring against one forward a text, conversion, and refusals."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, RobertaForSequenceClassification

from raysweep.errors import InputError
from raysweep.judge import ToxicityJudge, convert
from raysweep.judge_files import find_judge
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
        bool(text) and value < 0.5 for text, value in zip(TEXTS, expected, strict=True)
    ]


def test_silence_is_not_safe(converted: Path) -> None:
    judge = ToxicityJudge(converted, torch.device("cpu"), 8)
    assert judge(["", "  \n"]) == [False, False]


class Payload:
    def __reduce__(self):
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
    with pytest.raises(InputError, match=r"no \*\.safetensors weights; .*-m raysweep\.judge"):
        find_judge(str(published))
    config = json.loads((published / "config.json").read_text())
    for changes, problem in [
        ({"architectures": ["RobertaModel"]}, "is no sequence classifier"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "has 3 classes instead of two"),
    ]:
        (published / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(InputError, match=problem):
            find_judge(str(published))
    (published / "config.json").write_text(json.dumps(config))
