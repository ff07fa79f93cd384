from __future__ import annotations

import json

from analysis.data.setting import Setting, titles, varying


def _setting(num_steps: int, rates: tuple[float, ...] = (1e-5, 2e-5), sweep: str = "s") -> Setting:
    stages = [
        {"stage": "bbq", "learning_rate": rate, "num_steps": num_steps, "dtype": "float32"}
        for rate in rates
    ]
    return Setting.from_row(sweep, json.dumps(stages), list(rates))


def test_hyperparameters_are_named_with_their_stage() -> None:
    setting = _setting(100)
    assert setting.learning_rates == (1e-5, 2e-5)
    assert dict(setting.others) == {
        "num_steps1": "100",
        "num_steps2": "100",
        "dtype1": "float32",
        "dtype2": "float32",
        "sweep": "s",
    }
    assert setting.rates == "1e-05, 2e-05"


def test_only_what_differs_varies() -> None:
    assert varying([_setting(100), _setting(100, rates=(1e-3, 1e-3))]) == ()
    assert varying([_setting(100), _setting(50)]) == ("num_steps1", "num_steps2")
    assert varying([_setting(100), _setting(100, sweep="other")]) == ("sweep",)


def test_a_value_that_all_stages_have_is_said_once() -> None:
    alike = [_setting(100), _setting(50)]
    assert titles(alike) == ["  (num_steps 100)", "  (num_steps 50)"]
    values = dict(alike[0].others) | {"num_steps2": "5"}
    other = Setting(alike[0].learning_rates, tuple(values.items()))
    assert titles([alike[1], other]) == [
        "  (num_steps 50)",
        "  (num_steps1 100; num_steps2 5)",
    ]


def test_settings_sort_by_value() -> None:
    settings = [_setting(100), _setting(50), _setting(9, rates=(2e-5, 1e-6))]
    ordered = sorted(settings, key=lambda setting: setting.position)
    assert [setting.other("num_steps1") for setting in ordered] == ["50", "100", "9"]


def test_missing_columns_are_no_error() -> None:
    setting = Setting.from_row(None, None, None)
    assert setting.rates == "–"
    assert setting.other("num_steps1") == "–"
