"""Settings and the keys that they are part of."""

from __future__ import annotations

from typing import Annotated, ClassVar

import pytest

from raysweep.digest import digest_json
from raysweep.measures.settings import CurvatureSettings
from raysweep.settings.base import Settings
from raysweep.settings.identity import NO_KEY, Key, decisive, identities, part_of
from raysweep.space.search import SearchSettings
from raysweep.space.space import SearchSpace
from raysweep.tasks.settings import DataSettings
from raysweep.training.settings import Hyperparameters, WorkerSettings


class Later(Hyperparameters):
    """With settings that came after stores had been filled."""

    warmup: Annotated[int, part_of(Key.STAGE, formerly=0)] = 0
    log_every: Annotated[int, NO_KEY] = 1


def key(settings: Settings) -> str:
    return digest_json(decisive(settings, Key.STAGE))


def test_a_later_setting_changes_no_key_until_it_is_used() -> None:
    assert key(Later()) == key(Hyperparameters())
    assert key(Later(warmup=10)) != key(Hyperparameters())
    assert decisive(Later(warmup=10), Key.STAGE)["warmup"] == 10
    assert key(Later(log_every=7)) == key(Hyperparameters())


def test_a_later_setting_may_have_another_default_than_it_had_before() -> None:
    class Bolder(Hyperparameters):
        warmup: Annotated[int, part_of(Key.STAGE, formerly=0)] = 5

    assert key(Bolder(warmup=0)) == key(Hyperparameters()) != key(Bolder())


def test_a_setting_that_says_nothing_is_refused_when_its_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Silent\.rate does not say whether it is part of a key"):

        class Silent(Settings):
            rate: float = 1.0


def test_what_is_written_instead_of_a_value_decides_nothing() -> None:
    one, other = CurvatureSettings(), CurvatureSettings(operator="replica", max_parameters=5)
    assert decisive(one, Key.SWEEP) == decisive(other, Key.SWEEP)
    assert decisive(one, Key.SWEEP)["operator"] == "auto"
    assert "operator" not in decisive(other, Key.SOLVER) | decisive(other, Key.LOSS)


def test_a_second_radius_is_in_the_name_of_a_search_that_asks_for_it() -> None:
    one, other = CurvatureSettings(), CurvatureSettings(content=True)
    assert "content" not in decisive(one, Key.SWEEP)
    assert decisive(other, Key.SWEEP)["content"] is True
    assert decisive(one, Key.LOSS) == decisive(other, Key.LOSS)


def test_groups_of_settings_within_settings_have_recipes_of_their_own() -> None:
    class Outer(Settings):
        all_settings: ClassVar = part_of(Key.STAGE)

        inner: Later = Later()
        many: tuple[Later, ...] = (Later(warmup=3),)
        named: dict[int, Later]

    made = decisive(Outer(named={2: Later()}), Key.STAGE)
    assert made["inner"] == decisive(Hyperparameters(), Key.STAGE)
    assert [one["warmup"] for one in made["many"]] == [3]
    assert made["named"] == {"2": made["inner"]}


@pytest.mark.parametrize(
    ("model", "key_of", "names"),
    [
        (Hyperparameters, Key.STAGE, set(Hyperparameters.model_fields)),
        (Hyperparameters, Key.EVALUATION, {"sequence_limit", "dtype"}),
        (Hyperparameters, Key.LOSS, {"sequence_limit"}),
        (CurvatureSettings, Key.LOSS, {"num_samples", "reduction"}),
        (
            CurvatureSettings,
            Key.SOLVER,
            {"solver", "relative_tolerance", "min_products", "max_products"},
        ),
        (CurvatureSettings, Key.CHANGE, {"path_points"}),
        (
            SearchSpace,
            Key.SWEEP,
            {"chains", "seeds", "stage", "stages", "search", "stopping", "curvature"},
        ),
    ],
)
def test_what_is_part_of_which_key(model: type[Settings], key_of: Key, names: set[str]) -> None:
    assert {name for name, one in identities(model).items() if key_of in one.keys} == names


@pytest.mark.parametrize("model", [WorkerSettings, DataSettings])
def test_where_it_runs_and_where_rows_lie_is_part_of_none(model: type[Settings]) -> None:
    assert set(identities(model).values()) == {NO_KEY}


def test_a_search_may_be_prolonged() -> None:
    objectives = {"safety_forgetting": "min"}
    short, long = (
        SearchSettings(method="optuna", num_samples=number, objectives=objectives)
        for number in (3, 30)
    )
    assert decisive(short, Key.SWEEP) == decisive(long, Key.SWEEP)
