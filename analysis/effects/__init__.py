"""Comparisons between chains: of order, of learning rates, of rankings of groups."""
