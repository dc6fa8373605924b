"""EqSim and EqBen: equivariant similarity for vision-language models.

Import the room you need: ``eqlib.losses``, ``eqlib.scoring``, ``eqlib.suites``, ``eqlib.models``. This module imports
nothing, so that scoring never waits for torch. ``eqlib.study`` is the workshop of the workbook's own study.
"""

__version__ = "0.1.0"
