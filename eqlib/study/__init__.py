"""The workshop of this workbook: what draws, trains and reports its study. Nothing in the rest of eqlib imports it."""

from eqlib.errors import needs

needs("eqlib.study", "study", "nbformat")
