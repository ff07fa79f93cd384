"""The page of all settings, from the models that check them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from docs.generate.markdown import table
from raysweep.measures.settings import CurvatureSettings
from raysweep.settings.identity import UNSET, Identity, Key, identities
from raysweep.space.axes import KINDS
from raysweep.space.data import SeedGrid, SweepData
from raysweep.space.search import SearchSettings, StoppingSettings
from raysweep.space.space import SearchSpace
from raysweep.store.settings import WeightsSettings
from raysweep.tasks.custom import HubSource, TaskSpec
from raysweep.training.settings import Hyperparameters, WorkerSettings

GROUPS: Mapping[str, type[BaseModel]] = {
    "The search space": SearchSpace,
    "data": SweepData,
    "stage and stages": Hyperparameters,
    "search": SearchSettings,
    "stopping": StoppingSettings,
    "weights": WeightsSettings,
    "curvature": CurvatureSettings,
    "workers": WorkerSettings,
    "A task's file": TaskSpec,
    "hub": HubSource,
}
"""Each group after the heading of its part."""
PLACES = {model.__name__: title for title, model in GROUPS.items()}
HEAD = """# Settings

A search space is a YAML file of these settings. Unknown keys are refused, and so is a value of
another kind than its own: one line names the key, the value and the remedy. A value that differs
between trials is an [axis](#axes).

The last column says which [keys](../concepts/keys.md) a setting is part of:
"""
CONTENT = """`model`, `data`, `tasks` and `judge` name something whose content is part of keys, by
a digest of its files or rows, whatever it is called; so are `toxic_class` and `beginning_mark`
where they say something else than the files. Any other setting that is part of none may change
without anything being made again."""
MEANINGS = {
    Key.STAGE: "changed, the stage is another one, and is trained",
    Key.EVALUATION: "changed, the stage's models are scored again",
    Key.LOSS: "changed, curvatures and changes are measured again",
    Key.SOLVER: "changed, curvatures are measured again",
    Key.CHANGE: "changed, changes are measured again",
    Key.SWEEP: "changed, a search or a sweep with scouts is another one, with a folder of its own",
}


def page() -> str:
    """All settings, group by group."""
    told = [f"- **{key.name.lower()}**: {key.value}; {MEANINGS[key]}." for key in Key]
    parts = [HEAD, "\n".join(told), CONTENT]
    parts += [_group(title, model) for title, model in GROUPS.items()]
    kinds = (f"- `{name}`: {(kind.__doc__ or '').strip()}" for name, kind in KINDS.items())
    intro = "In `stage` and `stages` a mapping in the place of a value is an axis:"
    return "\n\n".join([*parts, "## Axes", intro, "\n".join(kinds)]) + "\n"


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the section Attributes of a class's docstring says of each attribute."""
    _, _, section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    entries = re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name.strip(): text for names, text in entries for name in names.split(",")}


def _group(title: str, model: type[BaseModel]) -> str:
    intro = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[0].strip()
    schema = model.model_json_schema()
    told, required = meanings(model), schema.get("required", ())
    rows = []
    for name, identity in identities(model).items():
        field = schema["properties"][name]
        default = "required" if name in required else _default(model, name)
        rows.append([f"`{name}`", _kind(field), default, told[name], _part(identity)])
    head = ["key", "kind", "default", "meaning", "part of"]
    return f"## {title}\n\n{intro}\n\n{table(head, rows)}"


def _default(model: type[BaseModel], name: str) -> str:
    value = model.model_fields[name].default
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower().replace('none', 'null')}`"
    if isinstance(value, int):
        return f"`{_large(value)}`"
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else value
    return f"`{shown}`" if shown != "" else "none"


def _kind(field: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema."""
    if "Part" in str(field):
        return "lists of stages"
    if name := field.get("$ref", "").rpartition("/")[2]:
        return _reference(name)
    if options := field.get("anyOf"):
        return " or ".join(map(_kind, options))
    if "const" in field:
        return f"`{field['const']}`"
    if values := field.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    kind = field.get("type")
    if kind == "array":
        return f"list of {_kind(field['items'])}"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {_kind(inner)}" if isinstance(inner, dict) else "mapping"
    if kind == "string":
        return f"text like `{field['pattern']}`" if "pattern" in field else "text"
    words = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    return words.get(str(kind), "`null`") + _bounds(field)


def _reference(name: str) -> str:
    if name == "Kind":
        return "`capability`, `safety`"
    if name == SeedGrid.__name__:
        return "`{grid: [a, b]}`"
    title = PLACES[name]
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    return f"[{title}](#{anchor})"


def _bounds(field: Mapping[str, Any]) -> str:
    """In words, such as ``, 0 < x <= 10``."""
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    parts = [f"{low:,} ≤" if low is not None else f"{above:,} <" if above is not None else ""]
    parts += [f"≤ {_large(high)}" if high is not None else f"< {below}" if below else ""]
    return f", {parts[0]} x {parts[1]}".rstrip() if any(parts) else ""


def _large(number: float) -> str:
    if number == 2**63 - 1:
        return "2^63 - 1"
    return (
        f"{number:,}" if number < 10**6 else f"{number:.0e}".replace("e+0", "e").replace("e+", "e")
    )


def _part(identity: Identity) -> str:
    keys = ", ".join(key.name.lower() for key in Key if key in identity.keys) or "-"
    if identity.formerly is not UNSET:
        keys += f" (where it is not `{identity.formerly}`)"
    return keys + (" (as one value for all)" if identity.written is not UNSET else "")
