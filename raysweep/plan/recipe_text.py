"""Recipes in words, whether a plan asks for them or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from raysweep.space.chains import Mixture, Part
from raysweep.store.contents import SHORT, Contents
from raysweep.store.store import Entry, EntryKind

UNREADABLE = (KeyError, TypeError, ValueError, ValidationError)  # of another version


@dataclass(frozen=True)
class Wording:
    """Tells what the entries of a store are.

    Attributes:
        num_digits: of keys.
    """

    contents: Contents
    num_digits: int = SHORT

    def of(self, entry: Entry) -> str:
        """What an entry is: ``toxigen, learning rate 0.001, 150 steps, seed 0, after tiny``."""
        if entry.recipe is None:
            trial = entry.provenance.get("trial")
            return f"no recipe is kept of it{f'; made by trial {trial}' if trial else ''}"
        try:
            return self._words(entry.kind, entry.recipe)
        except UNREADABLE:
            return "its recipe is of another version"

    def model(self, key: str) -> str:
        """A model: the base model's name, or what a stage was trained on and its key."""
        stage = self.contents.entries.get((EntryKind.STAGE, key))
        if stage is None or stage.recipe is None:
            return self._bases.get(key, key[: self.num_digits])
        return f"{mixture_of(stage.recipe)} {key[: self.num_digits]}"

    def _words(self, kind: EntryKind, recipe: Mapping[str, Any]) -> str:
        if kind in (EntryKind.WEIGHTS, EntryKind.STAGE):
            settings = recipe["hyperparameters"]
            drawn = ", its shares drawn with it" if recipe.get("shares") == "trial" else ""
            return (
                f"{mixture_of(recipe)}, learning rate {settings['learning_rate']:g}, "
                f"{settings['num_steps']} steps, seed {recipe['seed']}{drawn}, "
                f"after {self.model(recipe['parent'])}"
            )
        task, model = recipe["task"], self.model(recipe["model"])
        if kind in (EntryKind.EVALUATION, EntryKind.CUSTOM):
            own = f"{recipe['measurement']} of " if kind == EntryKind.CUSTOM else ""
            return f"{own}{task}, {'test' if 'test' in recipe else 'validation'} rows, of {model}"
        if kind == EntryKind.CURVATURE:
            part = f"{recipe['part']} of " if "part" in recipe else ""
            return f"{part}{task}, at {model}"
        return f"{task}, from {model} to {self.model(recipe['changed'])}"

    @cached_property
    def _bases(self) -> dict[str, str]:
        """The names of base models by their digests."""
        models = (entry.provenance.get("model") for entry in self.contents.entries.values())
        told = (one for one in models if isinstance(one, dict) and {"digest", "name"} <= one.keys())
        return {one["digest"]: one["name"] for one in told}


def mixture_of(recipe: Mapping[str, Any]) -> Mixture:
    """What a stage of that recipe is trained on.

    Raises:
        KeyError, TypeError, ValueError: it is the recipe of no stage.
    """
    return Mixture(Part(task=task, fraction=share) for task, share, _ in recipe["mixture"])
