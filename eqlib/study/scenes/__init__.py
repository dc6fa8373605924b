"""The scene engine: a synthetic EqBen that anyone can rebuild.

A scene is data (``Scene``), a picture is a view of it (``render``), a caption is told from it (``captioned``), and a
quad is two scenes that differ by one change (``edit``). ``build`` writes the embedded data of the study.
"""

from eqlib.study.scenes.build import build, check
from eqlib.study.scenes.compose import compose
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.edits import EDITS, Change, Focus, apply, edit
from eqlib.study.scenes.items import Captioned, Pair, Quad, captioned, lone, pair_of, picture, quads_of
from eqlib.study.scenes.render import masks, render, svg
from eqlib.study.scenes.scene import Place, Scene, Thing, from_dict, to_dict

__all__ = [
    "EDITS", "Captioned", "Change", "Dials", "Focus", "Pair", "Place", "Quad", "Scene", "Thing",
    "apply", "build", "captioned", "check", "compose", "edit", "from_dict", "lone", "masks", "pair_of",
    "picture", "quads_of", "render", "svg", "to_dict",
]  # fmt: skip
