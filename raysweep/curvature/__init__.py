"""Curvature of a training loss: Hessian-vector products and the Hessian's spectral radius.

    operator = LayerwiseHessian(Shards.from_zero3(module), blocks, num_batches, num_tokens)
    radius = spectral_radius(operator, seed=0)

Operators know a Hessian by its products: `ReplicaHessian` of any module that is whole on every
worker, `LayerwiseHessian` of a chain of blocks whose weights stay sharded. Solvers take any
operator: `spectral_radius` (Lanczos) and `power_iteration`.
"""

from raysweep.curvature.change import ParameterChange, expand_change
from raysweep.curvature.lanczos import spectral_radius
from raysweep.curvature.layerwise import Block, LayerwiseHessian
from raysweep.curvature.operator import HessianOperator, SymmetricOperator
from raysweep.curvature.power import power_iteration
from raysweep.curvature.replica import ReplicaHessian
from raysweep.curvature.shards import Shards
from raysweep.curvature.spectrum import Estimate, SpectralRadius

__all__ = [
    "Block",
    "Estimate",
    "HessianOperator",
    "LayerwiseHessian",
    "ParameterChange",
    "ReplicaHessian",
    "Shards",
    "SpectralRadius",
    "SymmetricOperator",
    "expand_change",
    "power_iteration",
    "spectral_radius",
]
