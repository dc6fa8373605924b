"""The scene engine: a synthetic EqBen that anyone can rebuild.

A scene is data (``Scene``), a picture is a view of it (``render``), a caption is told from it (``describe``), and a
quad is two scenes that differ by one change (``edit``). ``build`` writes the embedded data of the study.
"""

from eqlib.scenes.build import build, check
from eqlib.scenes.captions import describe
from eqlib.scenes.compose import compose
from eqlib.scenes.dials import Dials
from eqlib.scenes.edits import EDITS, Change, Focus, apply, edit
from eqlib.scenes.items import Captioned, CaptionedScenes, Pair, Quad, captioned, lone, pair_of, picture, quads_of
from eqlib.scenes.render import masks, render, svg
from eqlib.scenes.scene import Place, Scene, Thing, from_dict, to_dict

__all__ = [
    "EDITS", "Captioned", "CaptionedScenes", "Change", "Dials", "Focus", "Pair", "Place", "Quad", "Scene", "Thing",
    "apply", "build", "captioned", "check", "compose", "describe", "edit", "from_dict", "lone", "masks", "pair_of",
    "picture", "quads_of", "render", "svg", "to_dict",
]  # fmt: skip
