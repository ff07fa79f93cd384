"""The JSON schema of a search space as it is written, for editors and other checkers.

Pydantic knows the types; what a file may say in a shorter way, or in a free mapping that is checked
apart, is put in here: chains as text, own tasks as paths, and hyperparameters of which any may be
an axis. What only the search space as a whole can tell (names of tasks, settings that belong
together) is not in it.
"""

from __future__ import annotations

from typing import Any

from raysweep.space.axes import KINDS
from raysweep.space.space import SearchSpace
from raysweep.training.settings import Hyperparameters

Schema = dict[str, Any]


def space_schema() -> Schema:
    """JSON schema (draft 2020-12) of a search space's file."""
    schema = SearchSpace.model_json_schema()
    part = {"type": "string", "minLength": 1, "examples": ["toxigen", "bbq@5%", "stage1@{1,5}%"]}
    mixture = {"type": "array", "items": part, "minItems": 1}
    chain = {"type": "array", "items": {"anyOf": [part, mixture]}, "minItems": 1}
    settings = Hyperparameters.model_json_schema()["properties"]
    stage = {
        "type": "object",
        "properties": {name: _or_axis(one) for name, one in settings.items()},
        "additionalProperties": False,
    }
    named, own = schema["properties"], schema["$defs"]
    own["Stage"] = stage | {"description": Hyperparameters.__doc__}
    del own["Part"]
    named["chains"]["items"] = chain
    named["tasks"]["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/TaskSpec"}]}
    named["stage"] = {"$ref": "#/$defs/Stage"}
    named["workers"] = {"anyOf": [{"const": "auto"}, named["workers"]]}
    named["stages"] = {
        "type": "object",
        "patternProperties": {"^[1-9][0-9]*$": {"$ref": "#/$defs/Stage"}},
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _or_axis(value: Schema) -> Schema:
    """A hyperparameter's value, or an axis of such values."""
    bare = {name: one for name, one in value.items() if name not in ("default", "title")}
    several = {"type": "array", "items": bare, "minItems": 1}
    bounds = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    axes = [
        {
            "type": "object",
            "properties": {kind: bounds if "uniform" in kind else several},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind in KINDS
    ]
    return {"anyOf": [bare, *axes], "default": value["default"]}
