"""The tasks: the paper's datasets and one's own, from raw files to examples in seeded splits.

One file per dataset is in `paper`. Knows no model, no plan and no sweep.
"""
