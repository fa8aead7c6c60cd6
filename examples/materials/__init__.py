"""Patches of ten photographed materials, for `inception.py` and `very_deep.py`."""
