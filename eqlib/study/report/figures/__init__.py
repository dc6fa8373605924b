"""One figure a file: ``name(ax or axes, data, ...)`` draws on what it returns. See ``eqlib.study.report.catalogue``."""
