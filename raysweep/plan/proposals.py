"""Trials from what a search proposes: values by the names that the search space has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from raysweep.plan.planner import Planner
from raysweep.plan.points import axes_of
from raysweep.plan.trials import Trial
from raysweep.space.axes import Axis
from raysweep.space.chains import Chain
from raysweep.space.space import SearchSpace

CHAIN = "chain"


@dataclass(frozen=True)
class Proposals:
    """Makes trials of proposals, such as ``{"chain": "bbq -> csqa", "stage.num_steps": 100}``.

    What a space has only one value of is in no proposal.
    """

    space: SearchSpace
    planner: Planner

    @cached_property
    def chains(self) -> Mapping[str, Chain]:
        """Those to choose from, by their text."""
        return {str(chain): chain for chain in self.space.chains}

    def axes(self, proposal: Mapping[str, Any]) -> Mapping[str, Axis]:
        """The axes of the chain that is proposed."""
        return axes_of(self.space, len(self._chain(proposal)))

    def trial(self, proposal: Mapping[str, Any]) -> Trial:
        """The trial that is proposed, with the space's one seed and data seed."""
        values = {
            name: proposal.get(name, axis.examples[0]) for name, axis in self.axes(proposal).items()
        }
        return self.planner.trial(self._chain(proposal), values, self.space.replicates[0])

    def _chain(self, proposal: Mapping[str, Any]) -> Chain:
        return self.chains[proposal.get(CHAIN, str(self.space.chains[0]))]
