"""The part of SciPy's namespace that differentiable programs use: `cinta.scipy.special` and `cinta.scipy.stats.norm`.

Functions that cinta has no kernel for are computed by SciPy, which must then be installed.
"""
