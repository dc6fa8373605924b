"""Figures, tables, the report page and the item browser, drawn from the study's tables. Imports no torch."""
