"""Statistics of group differences: what chance alone would give, intervals, corrections, power.

May touch numpy, scipy and statsmodels; knows nothing of trials, files or models.
"""
