"""Search spaces: what is accepted, and the one line that every mistake ends in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.plan.points import points
from raysweep.space.packaged import packaged_names, packaged_space, space_path
from raysweep.space.space import SearchSpace, check_space, load_space
from raysweep.training.settings import Hyperparameters

SPACE = {
    "name": "lr",
    "chains": [["toxigen", "arc_easy"]],
    "stage": {"num_steps": 10},
    "stages": {1: {"learning_rate": {"grid": [1e-5, 2e-5]}}},
}


def error_of(**changes: object) -> str:
    with pytest.raises(InputError) as caught:
        check_space({**SPACE, **changes}, "space.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("space.yaml: ")
    return message.removeprefix("space.yaml: ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sed": [0]}, "sed = [0]; unknown key (did you mean 'seeds'?)"),
        (
            {"workers": {"num_worker": 2}},
            "workers.num_worker = 2; unknown key (did you mean 'num_workers'?)",
        ),
        ({"stage": {"lr": 1}}, "stage.lr = 1; unknown key; known keys: learning_rate"),
        ({"chains": [["toxigin"]]}, "'toxigin'; unknown task (did you mean 'toxigen'?)"),
        ({"chains": []}, "chains = []; an empty list"),
        ({"chains": [[]]}, "chains.0 = []; an empty list"),
        ({"chains": ["toxigen"]}, "chains.0 = 'toxigen'; not a list; write it as [a, b]"),
        ({"chains": [["toxigen@5"]]}, "share such as 'bbq@5%'"),
        ({"chains": [["toxigen@0%"]]}, "'toxigen@0%'; a share is more than 0 %"),
        ({"chains": [["toxigen@101%"]]}, "'toxigen@101%'; a share is more than 0 %"),
        ({"seeds": []}, "seeds = []; an empty list"),
        ({"seeds": [1, 1]}, "an entry is listed twice"),
        ({"seeds": [-1]}, "seeds.0 = -1; should be greater than or equal to 0"),
        ({"data": {"seed": {"grid": [1, 1]}}}, "data.seed.grid = [1, 1]; an entry is listed twice"),
        ({"data": {"seed": {"grid": []}}}, "data.seed.grid = []; an empty list"),
        ({"data": {"seed": {"grid": [0, -1]}}}, "data.seed.grid.1 = -1; should be greater than or"),
        ({"data": {"seed": {"grid": 3}}}, "data.seed.grid = 3; not a list; write it as [a, b]"),
        (
            {"data": {"seed": {"choice": [0, 1]}}},
            "data.seed = {'choice': [0, 1]}; write a whole number, {grid: [0, 1]} for one draw",
        ),
        ({"data": {"seed": "trail"}}, "data.seed = 'trail'; write a whole number, {grid: [0, 1]}"),
        ({"data": {"seed": [0, 1]}}, "data.seed = [0, 1]; a list is no single value; to try each"),
        ({"data": {"seed": -1}}, "data.seed = -1; should be greater than or equal to 0"),
        ({"data": {"seed": True}}, "data.seed = True; should be a valid whole number"),
        ({"data": {"shares": "seed"}}, "data.shares = 'seed'; should be 'fixed' or 'trial'"),
        (
            {"stages": {1: {"learning_rate": -1e-5}}},
            "stages.1.learning_rate = -1e-05; should be greater than 0",
        ),
        (
            {"stages": {1: {"learning_rate": {"grid": [1e-5, -1]}}}},
            "stages.1.learning_rate = -1; should be greater than 0",
        ),
        (
            {"stages": {1: {"learning_rate": {"grid": []}}}},
            "stages.1.learning_rate.grid = []; an empty list",
        ),
        ({"stage": {"learning_rate": [1e-5]}}, "to try each of them write {grid: [a, b]}"),
        ({"stage": {"learning_rate": "fast"}}, "stage.learning_rate = 'fast'; should be a valid"),
        ({"stage": {"learning_rate": float("nan")}}, "should be"),
        ({"stages": {3: {}}}, "stages.3 = {}; the longest chain has 2 stages"),
        ({"workers": {"zero_stage": 4}}, "workers.zero_stage = 4"),
        ({"workers": {"num_workers": 0}}, "workers.num_workers = 0; should be greater than 0"),
        ({"curvature": {"min_products": 99}}, "min_products is larger than max_products"),
        (
            {"workers": {"zero_stage": 0}, "stage": {"dtype": {"grid": ["float32", "bfloat16"]}}},
            "workers.zero_stage = 0; not with dtype bfloat16; use 1, 2 or 3",
        ),
        ({"name": "a/b"}, "name = 'a/b'"),
        ({"chains": [["toxigen", "stage2"]]}, "'stage2' refers to stage 2"),
        (
            {"stage": {"learning_rate": {"uniform": [1e-5, 1e-3]}}},
            "is to be drawn; add search: {method: random",
        ),
        (
            {"stage": {"learning_rate": {"loguniform": [0, 1e-3]}}},
            "loguniform needs positive bounds",
        ),
        (
            {
                "search": {"method": "random", "num_samples": 2},
                "stage": {"num_steps": {"uniform": [5, 10]}},
            },
            "stage.num_steps = {'uniform': [5, 10]}; takes whole numbers; write {choice",
        ),
        ({"search": {"method": "random"}}, "give num_samples together with method: random"),
        # A truth value is no number, text is no number, 2.0 is no whole number.
        ({"stage": {"num_steps": True}}, "stage.num_steps = True; should be a valid whole number"),
        (
            {"stage": {"learning_rate": True}},
            "learning_rate = True; should be a valid number; true",
        ),
        (
            {"stage": {"num_steps": "100"}},
            "stage.num_steps = '100'; should be a valid whole number",
        ),
        ({"stage": {"learning_rate": "1e-5"}}, "learning_rate = '1e-5'; should be a valid number"),
        ({"stage": {"num_steps": 2.0}}, "should be a valid whole number; write it without a point"),
        ({"data": {"num_test": 2.0}}, "data.num_test = 2.0; should be a valid whole number"),
        ({"data": {"paper_sizes": "yes"}}, "data.paper_sizes = 'yes'; should be true or false"),
        ({"workers": {"use_gpu": 1}}, "workers.use_gpu = 1; should be true or false"),
        ({"curvature": {"enabled": "off"}}, "curvature.enabled = 'off'; should be true or false"),
        ({"model": True}, "model = True; should be text; true and false are truth values; quote"),
        ({"stages": {True: {}}}, "stages.1.[key] = True; should be a valid whole number"),
        ({"stages": {"1": {}}}, "stages.1"),
        ({"stage": {"weight_decay": {"grid": [0.1, "0.2"]}}}, "'0.2'; should be a valid number"),
        # Bounds.
        ({"stage": {"num_steps": 10**20}}, "should be less than or equal to 10000000"),
        ({"stage": {"global_batch_size": 10**14}}, "should be less than or equal to 1000000"),
        ({"stage": {"learning_rate": 1e-321}}, "moves no weight: 1e-12 is the smallest"),
        ({"stage": {"learning_rate": 1e5}}, "should be less than or equal to 10"),
        ({"stage": {"learning_rate": 10**400}}, "should be a valid number"),
        ({"stage": {"learning_rate": {"grid": [1e-3, 1e5]}}}, "should be less than or equal to 10"),
        ({"stage": {"weight_decay": 1e-310}}, "nearer to 0 than float32 can hold"),
        ({"stage": {"epsilon": 1e-40}}, "nearer to 0 than float32 can hold"),
        ({"stage": {"beta1": float("nan")}}, "stage.beta1 = nan"),
        ({"seeds": [2**63]}, "seeds.0 = 9223372036854775808; should be less than or equal"),
        ({"data": {"seed": 2**63}}, "data.seed = 9223372036854775808"),
        ({"data": {"num_train": 10**12}}, "data.num_train = 1000000000000; should be less"),
        ({"workers": {"num_workers": 10**9}}, "workers.num_workers = 1000000000; should be less"),
        ({"workers": {"max_failures": 10**9}}, "workers.max_failures = 1000000000; should be"),
        ({"curvature": {"max_products": 10**9}}, "curvature.max_products = 1000000000"),
        ({"weights": {"budget_gb": float("inf")}}, "weights.budget_gb = inf"),
        ({"chains": [["toxigen@0.00000000001%"]]}, "a share is more than 0 %"),
        # The same rows twice in one mixture, and paths that can be none.
        ({"chains": [["csqa", ["bbq", "bbq"]]]}, "the mixture bbq + bbq has 'bbq' twice"),
        ({"chains": [["csqa", ["bbq", "bbq@5%"]]]}, "the mixture bbq + bbq@5% has 'bbq' twice"),
        ({"chains": [["bbq", ["{csqa,bbq}", "stage1@5%"]]]}, "the mixture bbq + bbq@5% has"),
        ({"model": ""}, "model = ''; is empty"),
        ({"judge": "a\0b"}, "holds a NUL character"),
        ({"data": {"source": "~nosuchuser/x"}}, "~nosuchuser is nobody's home folder here"),
        ({"data": {"sources": {"bbq": "x" * 5000}}}, "is longer than a path may be"),
        ({"model": "\udcff"}, "is no UTF-8 text"),
    ],
)
def test_a_mistake_names_key_value_and_remedy(changes: dict[str, object], expected: str) -> None:
    assert expected in error_of(**changes)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match=r"chains.*this key is required"):
        check_space({"name": "lr"}, "space.yaml")


def test_stages_may_be_shares_and_mixtures() -> None:
    space = check_space({**SPACE, "chains": [["bbq", ["csqa", "bbq@5%"]]]}, "space.yaml")
    (first, second) = space.chains[0]
    assert [(p.task, p.fraction) for p in first] == [("bbq", 1.0)]
    assert [(p.task, p.fraction) for p in second] == [("csqa", 1.0), ("bbq", 0.05)]
    assert str(second[1]) == "bbq@5%"


def test_files_are_read_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    space = load_space(path, {"seeds": [4], "stage": {"num_steps": None}, "workers": None})
    assert space.seeds == (4,)
    assert space.stage["num_steps"] == 10


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "cannot be read"),
        ("- 1", "holds no mapping"),
        ("[a, b]: 1", "cannot be read"),
        ("stage: {num_steps: 1, num_steps: 2}", "'num_steps' is given twice .* line 1"),
        ("name: a\nname: a", "'name' is given twice .* line 2"),
    ],
)
def test_files_that_are_no_mapping(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=expected):
        load_space(path)


def test_a_missing_file() -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: no such file"):
        load_space(Path("nowhere.yaml"))


@pytest.mark.parametrize("path", sorted(packaged_space("lr").parent.rglob("*.yaml")), ids=str)
def test_every_packaged_space_is_valid_and_says_what_it_costs(path: Path) -> None:
    assert isinstance(load_space(path), SearchSpace)
    header = path.read_text()
    assert all(f"# {word}:" in header for word in ("Purpose", "Command", "Cost"))


def test_defaults_are_the_papers() -> None:
    paper = Hyperparameters()
    assert (paper.beta1, paper.beta2, paper.weight_decay) == (0.9, 0.95, 0.1)
    assert (paper.num_steps, paper.learning_rate, paper.global_batch_size) == (100, 1e-5, 16)
    assert paper.sequence_limit == 2048


def test_a_long_value_is_told_in_short() -> None:
    assert len(error_of(name="x" * 10**6)) < 500
    assert len(error_of(**{"x" * 10**6: 1})) < 1000


# Of chains, seeds and the points of each chain's length, before YAML was read by the core schema
# and numbers had bounds: whoever changes one of them loses the stages of that space.
DIGESTS = {
    "best_first": "ae25514ece43",
    "curvature": "0b458a19b060",
    "curvature_order": "7860b2d81882",
    "halving": "b7c765877f7a",
    "lr": "641d6256ac6c",
    "optuna": "4f5400ad93ff",
    "order": "7853105b99bc",
    "replay": "b749f060cc6c",
    "replay_mixed": "c514e79ca866",
    "replay_steps": "975ced77becd",
    "uneven": "343675849cfa",
    "overnight/curvature": "08b1fc27b23a",
    "overnight/lr": "56071e63e372",
    "overnight/order": "e3ccbeb54ede",
    "overnight/repair": "010e3a814010",
    "overnight/replay": "b790dd0e7691",
    "overnight/replay_steps": "dc60133f6b8a",
    "paper/best_first": "7fd2852be859",
    "paper/curvature": "fb372edd0fb1",
    "paper/curvature_order": "948b4b40ad94",
    "paper/lr": "03185092f33a",
    "paper/lr_batch16": "64e342a390ae",
    "paper/optuna": "907c36db1616",
    "paper/order": "6679e7618da9",
    "paper/replay": "0a091f585918",
    "paper/replay_steps": "931780f9ebb4",
}


def content_digest(space: SearchSpace) -> str:
    lengths = sorted({len(chain) for chain in space.chains})
    drawn = [
        [[stage.model_dump() for stage in point] for point in points(space, length)]
        for length in lengths
    ]
    chains = [[[str(part) for part in mixture] for mixture in chain] for chain in space.chains]
    return digest_json([chains, list(space.seeds), drawn])[:12]


@pytest.mark.parametrize("name", DIGESTS)
def test_packaged_spaces_mean_what_they_meant(name: str) -> None:
    assert content_digest(load_space(packaged_space(name))) == DIGESTS[name]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("nosuch", None), ("ordr", "order"), ("paper/replai", "paper/replay")],
)
def test_a_name_that_is_no_space_lists_those_there_are(name: str, meant: str | None) -> None:
    with pytest.raises(InputError) as caught:
        space_path(name)
    text = str(caught.value)
    assert "is neither a file nor a packaged search space" in text
    assert all(known in text for known in packaged_names())
    assert (f"did you mean {meant!r}?" in text) == (meant is not None)


def test_a_folder_does_not_hide_a_packaged_space(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr").mkdir()
    assert space_path("lr") == packaged_space("lr")
    (tmp_path / "order").write_text("name: mine")
    assert space_path("order") == Path("order"), "a file of that name is meant"


def test_a_source_given_as_an_option_is_that_of_all_tasks(tmp_path: Path) -> None:
    """The example in order_sweep's help: paper/order names folders for two of its tasks."""
    path = packaged_space("paper/order")
    assert load_space(path).data.source_of("toxigen") == "~/data"
    given = load_space(path, {"data": {"source": str(tmp_path), "num_test": None}})
    assert {given.data.source_of(task) for task in given.task_names} == {str(tmp_path)}
    kept = load_space(path, {"data": {"source": None, "num_test": 5}})
    assert kept.data.source_of("toxigen") == "~/data"
