"""Curvature of a training loss: Hessian-vector products and the Hessian's spectral radius."""

from raysweep.curvature.lanczos import SpectralRadius, spectral_radius
from raysweep.curvature.operator import HessianOperator
from raysweep.curvature.replica import ReplicaHessian

__all__ = ["HessianOperator", "ReplicaHessian", "SpectralRadius", "spectral_radius"]
