"""`python -m raysweep.curvature` on the embedded base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner, Result

from raysweep.cli.console import reporting_input_errors
from raysweep.cli.curvature import main
from raysweep.tasks.registry import TASKS
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from tests.curvature.double import second_derivatives

NUMBER = 4
QUICK = ("--num-samples", "10", "--max-products", "20")


def run(*arguments: str) -> Result:
    import typer

    app = typer.Typer()
    app.command()(main)
    with reporting_input_errors():
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_both_operators_find_the_same_and_draw_it(tmp_path: Path) -> None:
    found = []
    for operator in ("replica", "layerwise"):
        picture = tmp_path / f"{operator}.png"
        options = ("--operator", operator, "--plot", str(picture), "--json")
        result = run("tiny", "--task", "csqa2", *QUICK, *options)
        assert result.exit_code == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        found.append(json.loads(result.output))
    one, other = found
    assert one["converged"]
    assert other["eigenvalue"] == pytest.approx(one["eigenvalue"], rel=1e-4)
    assert len(one["history"]) == one["num_products"]
    assert one["num_samples"] == 10
    assert one["relative_residual"] <= 1e-3


def test_the_content_has_the_radius_of_its_dense_hessian(tmp_path: Path) -> None:
    """Of a small model's toxigen: "toxic" or "not toxic" is the content, picked by hand."""
    folder = small_checkpoint(tmp_path / "model")
    expected = {part: dense_radius(folder, part) for part in ("whole", "content")}
    assert expected["content"] != pytest.approx(expected["whole"], rel=0.05)
    for operator in ("replica", "layerwise"):
        picture, few = tmp_path / f"{operator}.png", ("--num-samples", str(NUMBER))
        exact = ("--tolerance", "1e-4", "--max-products", "200")
        result = run(
            str(folder), "--task", "toxigen", "--content", *few, *exact, "--operator", operator,
            "--plot", str(picture), "--json",
        )  # fmt: skip
        assert result.exit_code == 0
        assert picture.is_file()
        found = json.loads(result.output)
        content = found.pop("content")
        assert (found["part"], content["part"]) == ("whole", "content")
        for row in (found, content):
            assert row["spectral_radius"] == pytest.approx(expected[row["part"]], rel=1e-4)
            assert len(row["history"]) == row["num_products"]
        assert content["num_tokens"] == found["num_tokens"], "one normaliser"


def small_checkpoint(folder: Path) -> Path:
    """A LLaMA of some 200 parameters, to which most words are unknown."""
    words = ["<unk>", "<s>", "</s>", "This", "is", "not", "toxic", ".", "people", "are", "the"]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=4,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def dense_radius(folder: Path, part: str) -> float:
    """In float64, row by row: no code of `raysweep.curvature`, `measures` or `training`."""
    model = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    drawn = stratified_order(load_splits(TASKS["toxigen"], DataSettings()).train, 0)[:NUMBER]
    loss, num_tokens = torch.zeros((), dtype=torch.float64), 0
    for example in drawn:
        prompt = [1, *tokenizer.encode(example.prompt, add_special_tokens=False).ids]
        answer = [*tokenizer.encode(example.target, add_special_tokens=False).ids, 2]
        ids = torch.tensor([prompt + answer])
        log_p = model(input_ids=ids).logits[0].log_softmax(-1)
        first = len(prompt)
        start, stop = (2, len(answer) - 2) if part == "content" else (0, len(answer))
        for place in range(first + start, first + stop):
            loss = loss - log_p[place - 1, ids[0, place]]
        num_tokens += len(answer)
    matrix = second_derivatives(model, loss / num_tokens)
    return float(torch.linalg.eigvalsh(matrix).abs().max())


def test_a_task_without_candidates_has_no_content(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("tiny", "--task", "saferdialogues", "--content", "--num-samples", "2")
    assert stopped.value.code == 2
    assert "--content: rows of saferdialogues have no candidate" in capsys.readouterr().err


def test_what_has_not_converged_says_so(tmp_path: Path) -> None:
    picture = str(tmp_path / "few.svg")
    result = run("tiny", "--task", "csqa2", "--max-products", "3", "--plot", picture)
    assert result.exit_code == 1
    assert "converged: False" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "toxi"), "unknown task (did you mean 'toxigen'?)"),
        (("--task", "bbq", "--solver", "qr"), "curvature.solver = 'qr'"),
        (("--task", "bbq", "--plot", "x.txt"), "--plot x.txt: no picture's name"),
        (("--task", "bbq", "--plot", "nowhere/x.png"), "its folder does not exist"),
        (("--task", "bbq", "--device", "tpu"), "--device tpu: unknown; use cpu or cuda"),
    ],
)
def test_mistakes_are_one_line(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("tiny", *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
