"""Thirty checkpoints of one pre-training: does the group score rise because the similarity becomes equivariant?

A quad is *decided* where ``|I| > |a| + |b|``, whichever sign I has: one of the two assignments then wins all four
comparisons. ``group`` is decided for the right assignment, ``mirrored`` (chance 1/6, as group) for the wrong one. The
ratio ``(|a| + |b|) / |I|`` says how many quads are decided and knows nothing of right and wrong. Scores that become
more alike to independent noise come to be decided in 1/3 of the quads, right in half of those.

Decided before any checkpoint between the first and the last was looked at, on the logits:

1. ``group = decided * right among decided``; also ``group = group match * group among matched``. Endpoint: the change
   of each factor between the means over epochs EARLY and LATE.
2. Refutation by noise: the change of ``mirrored``. If the fall of the ratio were noise, ``group`` and ``mirrored``
   would rise alike. Endpoint: the change of ``group - mirrored``.
3. Refutation by simulation: EARLY's logits with independent noise in each cell, scaled so that the share of decided
   quads is LATE's. Endpoint: LATE's group minus that of the simulation.

The checkpoints share 400 quads and a training: intervals resample quads and keep a quad's checkpoints together. They
speak about other quads, never about another training: there is one. The three endpoints are adjusted by Holm.
"""

from __future__ import annotations

EARLY, LATE = tuple(range(5)), tuple(range(25, 30))
