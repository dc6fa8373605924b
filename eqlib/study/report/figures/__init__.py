"""One function a figure. Each draws a table on axes that it is given, or on new ones of the printed size, and returns
them, as seaborn's functions do. What is said below a figure is in ``eqlib.study.report.words``."""
