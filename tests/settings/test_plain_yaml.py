"""Plain YAML: the values of YAML 1.2's core schema, and files that are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.errors import InputError
from raysweep.settings.base import read_settings
from raysweep.settings.plain_yaml import (
    MAX_BYTES,
    PlainYamlError,
    parse_plain_yaml,
    read_plain_yaml,
)

PRINTABLE = [*map(chr, range(32, 127)), "\n", "ä", "漢", "😀"]
# As tables 10.2 and 10.3 of the specification have them, and what YAML 1.1 read otherwise.
SCALARS = [
    *[("true", True), ("True", True), ("FALSE", False), ("yes", "yes"), ("no", "no"), ("on", "on")],
    *[("y", "y"), ("null", None), ("~", None), ("", None), ("Null", None), ("nil", "nil")],
    *[("0", 0), ("-0", 0), ("0100", 100), ("0o7", 7), ("0x3A", 58), ("-19", -19), ("+12", 12)],
    *[("0b11", "0b11"), ("1_000", "1_000"), ("1:30", "1:30"), ("190:20:30", "190:20:30")],
    *[("0.", 0.0), (".5", 0.5), ("-2E+05", -200000.0), ("1e-5", 1e-5), ("1.0e-3", 1e-3)],
    *[("+12e03", 12000.0), (".inf", math.inf), ("-.Inf", -math.inf), ("2024-01-01", "2024-01-01")],
    *[("2024-01-01 10:00:00", "2024-01-01 10:00:00"), ("'1'", "1"), ('"true"', "true")],
    *[("=", "="), ("<<", "<<"), (".", "."), ("1.2.3", "1.2.3"), ("e5", "e5"), ("inf", "inf")],
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_is_what_the_core_schema_says(text: str, value: object) -> None:
    (found,) = parse_plain_yaml(f"[{text or 'null'}]")
    assert type(found) is type(value)
    assert found == value


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(parse_plain_yaml("a: .nan")["a"])


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(PRINTABLE, max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=20,
))  # fmt: skip
def test_json_is_plain_yaml(value: object) -> None:
    assert parse_plain_yaml(json.dumps([value], ensure_ascii=False)) == [value]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!int x", "the tag 'tag:yaml.org,2002:int' is not read"),
        ("a: !!python/object/apply:os.system [ls]", "is not read; leave it out"),
        ("a: ! x", "the tag '!' is not read"),
        ("a: 1\na: 2", "'a' is given twice"),
        ("a: {b: 1, b: 1}", "'b' is given twice"),
        ("1: a\n1: b", "'1' is given twice"),
        ("a: " + "[" * 30 + "]" * 30, "nested more than 20 deep"),
        ("".join(" " * n + "a:\n" for n in range(30)), "nested more than 20 deep"),
        ("a: " + "[" * 90_000, "nested more than 20 deep"),
        ("a: &a [*a]", "nested more than 20 deep"),
        ("a: &a {b: *a}", "nested more than 20 deep"),
        ("a: *nothing", "found undefined alias"),
        ("a: [" + "1, " * 20_000 + "]", "more than 10,000 keys and values"),
        ("a: " + "9" * 5000, "a number of 5,000 digits"),
        ("? [a]\n: 1", "a key is no plain value"),
        ("? {a: 1}\n: 1", "a key is no plain value"),
        ("a: 1\n---\na: 1", "expected a single document"),
        ("a: \0", "special characters are not allowed"),
        ("a: [", "expected the node content"),
        ("a:\n\t- 1", "cannot start any token"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PlainYamlError) as caught:
        parse_plain_yaml(text)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 400


def test_an_alias_repeats_a_part_but_not_without_end() -> None:
    assert parse_plain_yaml("a: &x {grid: [1, 2]}\nb: *x")["b"] == {"grid": [1, 2]}
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(PlainYamlError, match="more than 10,000 keys and values"):
        parse_plain_yaml("a0: &a0 [x]\n" + levels)
    deep = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500))
    with pytest.raises(PlainYamlError, match="nested more than 20 deep"):
        parse_plain_yaml("a0: &a0 [x]\n" + deep)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\n" + b"# x\n" * MAX_BYTES, "larger than 100,000 bytes"),
        (b"a: \xff", "byte 4 is no UTF-8 text"),
        (b"\xfe\xffa\0", "byte 1 is no UTF-8 text"),
        (b"a: 1\0", "special characters"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_settings(path, "look elsewhere", "an example")
    assert problem in str(caught.value)


def test_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffa: ä\r\nb: 1\r\n".encode())
    assert read_plain_yaml(path) == {"a": "ä", "b": 1}
