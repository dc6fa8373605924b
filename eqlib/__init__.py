"""EqSim and EqBen: equivariant similarity for vision-language models.

Import the room you need (``eqlib.losses``, ``eqlib.scoring``, ``eqlib.suites``, ``eqlib.scenes``, ``eqlib.models``,
``eqlib.training``, ``eqlib.report``); this module itself imports nothing, so that scoring never waits for torch.
"""

__version__ = "0.1.0"
