"""Scoring BBQ's whole answers: raysweep, lm-evaluation-harness, and one forward per answer.

    python -m benchmarks.scoring --data FOLDER [--rows 500] [--repeats 3]

All three score the same token ids with the same model in one process, turn by turn; the fastest of
the repeats counts. The model is a randomly initialised LLaMA and the tokenizer a byte-level BPE
trained on the rows themselves, so that neither weights nor a network are needed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.cli.console import console, run_command
from raysweep.measures.answers import evaluate
from raysweep.model.encoding import Encoder, encode_answer, encode_prompt
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Example, Task

LIMIT = 2048
Choices = list[int]


@dataclass(frozen=True)
class Work:
    """What every contestant is given."""

    model: LlamaForCausalLM
    encoder: Encoder
    tokenizer: PreTrainedTokenizerFast  # the same, as the harness wants it
    task: Task
    examples: Sequence[Example]
    batch_size: int

    def encoded(self, example: Example) -> tuple[list[int], list[list[int]]]:
        """Token ids of the prompt and of each answer."""
        answers = [list(encode_answer(answer, self.encoder)) for answer in example.answers]
        return list(encode_prompt(example, self.encoder, LIMIT)), answers


def ours(work: Work) -> Choices:
    """The evaluation of a sweep."""
    predictions = evaluate(
        work.model,
        work.encoder,
        work.task,
        work.examples,
        sequence_limit=LIMIT,
        batch_size=work.batch_size,
    )
    return [work.task.labels.index(prediction.prediction) for prediction in predictions]


@torch.no_grad()
def one_forward_per_answer(work: Work) -> Choices:
    """The obvious way, a row and an answer at a time."""
    choices = []
    for example in work.examples:
        prompt, answers = work.encoded(example)
        scores = []
        for answer in answers:
            logits = work.model(input_ids=torch.tensor([prompt + answer])).logits[0]
            log_p = logits[len(prompt) - 1 : -1].double().log_softmax(-1)
            scores.append(float(log_p.gather(1, torch.tensor(answer)[:, None]).sum()))
        choices.append(scores.index(max(scores)))
    return choices


def lm_evaluation_harness(work: Work) -> Choices:
    """EleutherAI's harness, with its own batching, from token ids on."""
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=work.model, tokenizer=work.tokenizer, batch_size=work.batch_size)
    requests: list[Any] = []
    for number, example in enumerate(work.examples):
        prompt, answers = work.encoded(example)
        requests += [((str(number), str(i)), prompt, answer) for i, answer in enumerate(answers)]
    scores = [score for score, _ in lm._loglikelihood_tokens(requests, disable_tqdm=True)]
    width = len(work.task.labels)
    rows = [scores[start : start + width] for start in range(0, len(scores), width)]
    return [row.index(max(row)) for row in rows]


CONTESTANTS: dict[str, Callable[[Work], Choices]] = {
    "raysweep": ours,
    "lm-evaluation-harness": lm_evaluation_harness,
    "one forward per answer": one_forward_per_answer,
}


def compare(
    work: Work, names: Sequence[str], repeats: int
) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds of the fastest repeat, and rows with another prediction than the first contestant."""
    seconds = dict.fromkeys(names, float("inf"))
    choices: dict[str, Choices] = {}
    for _ in range(repeats):
        for name in names:
            started = time.perf_counter()
            choices[name] = CONTESTANTS[name](work)
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    first = choices[names[0]]
    different = {
        name: sum(a != b for a, b in zip(first, found, strict=True))
        for name, found in choices.items()
    }
    return seconds, different


def make_work(data: str, num_rows: int, batch_size: int, hidden_size: int) -> Work:
    """The rows, a tokenizer trained on them, and a model with random weights."""
    splits = load_splits(TASKS["bbq"], DataSettings(source=data, num_test=num_rows))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((e.prompt + e.target for e in splits.train), trainer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8000,
        hidden_size=hidden_size,
        intermediate_size=11 * hidden_size // 4,
        num_hidden_layers=8,
        num_attention_heads=8,
        max_position_embeddings=LIMIT,
        initializer_range=0.05,
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    encoder = encoder_of(wrapped, config.vocab_size)
    return Work(
        LlamaForCausalLM(config).eval(), encoder, wrapped, splits.task, splits.test, batch_size
    )


def encoder_of(tokenizer: PreTrainedTokenizerFast, vocabulary_size: int) -> Encoder:
    """As of a model folder with this tokenizer."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return load_encoder(Path(folder), vocabulary_size, beginning_mark=True)


def main(
    data: Annotated[str, typer.Option(help="Folder of raw files, 'hub' or 'tiny'.")],
    rows: Annotated[int, typer.Option(help="BBQ test rows.")] = 500,
    repeats: Annotated[int, typer.Option(help="Turns of each contestant.")] = 3,
    batch_size: Annotated[int, typer.Option(help="Rows of a forward pass.")] = 16,
    hidden_size: Annotated[int, typer.Option(help="Of the model's eight layers.")] = 512,
) -> None:
    """Prints how long each takes, as a ratio to raysweep, and whether predictions agree."""
    work = make_work(data, rows, batch_size, hidden_size)
    seconds, different = compare(work, list(CONTESTANTS), repeats)
    size = sum(parameter.numel() for parameter in work.model.parameters())
    tokens = sum(len(work.encoded(example)[0]) for example in work.examples) / len(work.examples)
    table = Table(
        title=f"{len(work.examples)} BBQ rows, {tokens:.0f} prompt tokens each, {size / 1e6:.0f} M "
        f"parameters, batches of {batch_size}, {torch.get_num_threads()} threads"
    )
    for column in ("", "time", "of raysweep's", "other predictions"):
        table.add_column(column, justify="left" if not column else "right")
    for name, value in seconds.items():
        ratio = value / seconds["raysweep"]
        table.add_row(name, f"{value:.1f} s", f"{ratio:.2f}", str(different[name]))
    console().print(table)


if __name__ == "__main__":
    run_command(main)
