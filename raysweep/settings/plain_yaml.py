"""Plain YAML: the core schema of YAML 1.2, in files of a size that a person writes.

A value is what it looks like: ``true`` and ``false`` are truth values and nothing else is, so that
``yes``, ``on`` and ``1:30`` are text, ``0100`` is a hundred, ``1e-5`` a number and ``2024-01-01``
is no date. Tags are refused, and so is a key that is given twice: a mistake, not a correction.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

MAX_BYTES = 100_000
MAX_DEPTH = 20
MAX_NODES = 10_000  # keys and values, with what aliases repeat
MAX_DIGITS = 400

CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", [*"-+."]),
)
"""Kinds of plain scalars, the first that matches (YAML 1.2.2, section 10.3.2), and what they begin
with."""


class PlainYamlError(ValueError):
    """The text is no plain YAML; the message says where."""


def read_plain_yaml(path: Path) -> Any:
    """The content of a file.

    Raises:
        OSError: the file cannot be read.
        PlainYamlError: it is no plain YAML, or larger than such a file may be.
    """
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PlainYamlError(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlainYamlError(f"byte {error.start + 1} is no UTF-8 text") from None
    return parse_plain_yaml(text, path.name)


def parse_plain_yaml(text: str, name: str = "text") -> Any:
    """The value of a YAML document.

    Raises:
        PlainYamlError: it is no plain YAML.
    """
    try:
        loader = _Loader(text)
        loader.name = name
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise PlainYamlError(" ".join(str(error).split())[:400]) from None


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's: below are our own
    depth = num_nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            problem = f"the tag {event.tag[:60]!r} is not read; leave it out, quote what is text"
            raise ConstructorError(None, None, problem, event.start_mark)
        self.depth += 1
        self.num_nodes += 1
        _check_bounds(self.num_nodes, self.depth, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key is no plain value", key_node.start_mark)
            key = self.construct_object(key_node)
            if key in seen:
                raise ConstructorError(
                    None, None, f"{str(key)[:60]!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Nothing: the merge key is none of the core schema."""


def _as_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value)
    if len(text) > MAX_DIGITS:
        raise ConstructorError(None, None, f"a number of {len(text):,} digits", node.start_mark)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _as_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(node.value).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


for _kind, _pattern, _first in CORE_SCHEMA:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})\Z"), _first
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _as_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _as_float)


def _check_size(root: yaml.Node) -> None:
    """Counts what aliases repeat as often as they repeat it: few lines can stand for billions."""
    number, left = 0, [(root, 1)]
    while left:
        node, depth = left.pop()
        number += 1
        _check_bounds(number, depth, node.start_mark)
        if isinstance(node, yaml.MappingNode):
            left += [(child, depth + 1) for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            left += [(child, depth + 1) for child in node.value]


def _check_bounds(number: int, depth: int, mark: Any) -> None:
    if number > MAX_NODES:
        raise ConstructorError(None, None, f"more than {MAX_NODES:,} keys and values", mark)
    if depth > MAX_DEPTH:
        raise ConstructorError(None, None, f"nested more than {MAX_DEPTH} deep", mark)
