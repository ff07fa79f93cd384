"""Values that stand where others belong, and mutations of text and of trees of settings."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

SCALARS: Sequence[str] = (
    *("true", "yes", "no", "null", "~", "''", '""', "'1'", '"1e-3"', "abc", ".", "-"),
    *("0", "-1", "1", "2", "2.0", "-0.0", "1e-5", "1.0e-3", "1e-321", "1e-400", "1e400", "5e-324"),
    *("0100", "1:30", "0x10", "0o17", "0b11", "1_000", "+5", "1.", ".5", ".inf", "-.inf", ".nan"),
    *("100000000000000000000", "9223372036854775807", "9223372036854775808", "1000000000000"),
    *("9" * 400, "9" * 5000, "2024-01-01", "2024-01-01T00:00:00Z", "1e5", "1e20", "0.1", "1e+30"),
    *(
        "!!int x",
        "!!python/object:os.system x",
        "!!float nan",
        "!x y",
        "&a 1",
        "*a",
        "<<",
        "=",
        "@",
    ),
    *("[]", "{}", "[1, 2]", "[[1]]", "{grid: [1, 2]}", "{grid: []}", "{grid: [1, [2]]}"),
    *("{choice: [8, 16]}", "{uniform: [0, 1]}", "{loguniform: [1.0e-5, 1.0e-3]}", "{a: {b: {}}}"),
    *("{uniform: [1, 0]}", "{loguniform: [0, 1]}", "{uniform: [0, .inf]}", "{grid: {a: 1}}"),
    *("toxigen", "nosuch", "toxigen@5%", "toxigen@0%", "bbq@101%", "'{a,b}'", "stage1", "stage9"),
    *("'{toxigen,bbq}'", "'stage1@{0,1,5}%'", "bbq@1e-9%", "'~nobody/x'", "'a\\0b'", '"a\\0b"'),
    *("/dev/zero", "/dev/null", "/", "x" * 300, "é" * 100, "[toxigen, toxigen]", "'@'", "tiny"),
    "'" + "{a,b,c,d,e,f,g,h,i,j}" * 9 + "'",
    "[" + ", ".join(map(str, range(3000))) + "]",
    "{grid: [" + ", ".join(map(str, range(1, 2000))) + "]}",
    "[" * 60 + "]" * 60,
)
NOISE = ("\0", "\t", "\ufeff", "{", "}", "[", "]", ":", "#", "&a ", "*a ", "!", "'", '"', "\n", "%")


def mutate_text(text: str, source: random.Random) -> tuple[str, bytes]:
    """What was done to the text of a file, and its bytes."""
    lines = text.splitlines(keepends=True)
    number = source.randrange(len(lines))
    at = source.randrange(len(text))
    kind = source.choice(("noise", "drop", "twice", "cut", "swap", "bytes", "indent", "anchors"))
    if kind == "noise":
        noise = source.choice(NOISE)
        return f"{noise!r} at {at}", (text[:at] + noise + text[at:]).encode()
    if kind == "drop":
        return f"line {number + 1} dropped", "".join(lines[:number] + lines[number + 1 :]).encode()
    if kind == "twice":
        return f"line {number + 1} twice", "".join(lines[: number + 1] + lines[number:]).encode()
    if kind == "cut":
        return f"cut at {at}", text[:at].encode()
    if kind == "swap":
        other = source.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
        return f"lines {number + 1} and {other + 1} swapped", "".join(lines).encode()
    if kind == "bytes":
        raw = bytearray(text.encode())
        raw[at % len(raw)] = source.choice((0xFF, 0x80, 0xC3, 0x00, 0x0D))
        return f"byte {at} is {raw[at % len(raw)]:#x}", bytes(raw)
    if kind == "indent":
        lines[number] = " " * source.randrange(1, 5) + lines[number]
        return f"line {number + 1} indented", "".join(lines).encode()
    levels = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    return "aliases of aliases", f"{text}\nbomb:\n  a0: &a0 [x, y]\n{levels}".encode()


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a tree of mappings and lists, those of inner ones too."""
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    if isinstance(tree, dict | list):
        for key, value in items:
            found += leaves(value, (*path, key))
    return found


def write_tree(tree: Any) -> str:
    """YAML of a tree whose leaves are YAML themselves, in flow style."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {write_tree(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(write_tree, tree)) + "]"
    return str(tree)


def mutate_tree(tree: Any, source: random.Random) -> tuple[str, Any]:
    """Replaces, drops or renames one value of a tree; the tree is changed in place."""
    path = source.choice(leaves(tree))
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    place, kind = ".".join(map(str, path)), source.random()
    if kind < 0.75:
        value = source.choice(SCALARS)
        inner[path[-1]] = value
        return f"{place} = {value[:60]}", tree
    if kind < 0.85 or isinstance(inner, list):
        del inner[path[-1]]
        return f"{place} dropped", tree
    letters = list(str(path[-1]))
    letters[source.randrange(len(letters))] = source.choice("aeix0_-")
    inner["".join(letters)] = inner.pop(path[-1])
    return f"{place} renamed {''.join(letters)}", tree
