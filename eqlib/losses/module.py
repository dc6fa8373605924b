"""EqSimLoss: the settings of EqSim and a call that a training loop understands."""

from functools import partial
from typing import Literal, Self, get_args

import torch
from torch import Tensor, nn

from eqlib.errors import InputError
from eqlib.losses import checks
from eqlib.losses.eqsim import SIMILARITIES, Criterion, Scalars, check_easy, easy_share, pairs_share
from eqlib.losses.mining import StepGenerator, draw_partners
from eqlib.losses.similarity import Rows

Variant = Literal["all_pairs", "hard", "hard_easy"]
Similarity = Literal["cosine", "logits", "softmax"]


class EqSimLoss(nn.Module):
    """EqSim beside a contrastive loss, in three lines of anybody's training loop.

    ``terms, telemetry = loss(image_features, text_features, logit_scale)``

    terms       dict of scalars with gradient, for the caller to sum: ``contrastive`` (only with ``contrastive``), then
                ``eqsim_all_pairs``, or ``eqsim_hard``, or ``eqsim_hard`` and ``eqsim_easy``. Weights are in them.
    telemetry   dict of detached scalars over the quads in use: ``eqsim_active`` (share of quads with an active hinge,
                averaged over the hinges; a margin after the mean is one hinge for all quads of a side), ``mean_a2``,
                ``mean_b2``, ``mean_I`` (of the similarity EqSim acts on), ``pool`` (the rows that each row is
                compared with or draws its partners from: the gathered batch less one).

    Settings
    variant         all_pairs: every pair of the batch; hard: ``2 sample_num`` sampled partners a row (v2);
                    hard_easy: hard, and the symmetric term over the other entries (v1 + v2)
    similarity      what EqSim acts on: ``cosine`` (the features' product), ``logits`` (times the logit scale), or
                    ``softmax`` (row softmax of the logits, the release's ``score_pre_softmax``). Weight and margin are
                    in units of its square: a margin of 0.1 that softmax never reaches is 0.316 in cosine. A logit bias
                    cancels in every difference, so EqSim has no use for it
    easy_*          weight (None: as ``weight``), proportion and margin of the easy term
    contrastive     a loss of open_clip's own (``ClipLoss``, ``SigLipLoss``, ...), called as it is
    seed            of the partners. ``state_dict()`` holds the number of draws so far, the same on every rank: load it
                    on each, on any number of ranks, and the run draws the partners it would have drawn
    others          options of `Criterion`

    Features are used as they come: normalised, as open_clip and Hugging Face give them. EqSim computes in float32
    (float64 where given), under autocast too. With an initialised process group features are gathered with gradient,
    each rank computes its own rows, and the mean over ranks, which DistributedDataParallel takes, is the loss of one
    process; open_clip's losses need their own ``rank`` and ``world_size``. `torch.compile` finds no graph break, and on
    an accelerator nothing waits for the device, so values that are not finite are left to the trainer's check there.

    A plain loop (notebook 05 has those of open_clip_train and of a Hugging Face trainer)::

        loss = EqSimLoss(weight=4.0, contrastive=open_clip.ClipLoss())
        terms, telemetry = loss(*model(images, texts))
        sum(terms.values()).backward()
    """

    def __init__(
        self,
        variant: Variant = "all_pairs",
        *,
        similarity: Similarity = "cosine",
        sample_num: int = 4,
        easy_weight: float | None = None,
        easy_proportion: float = 1.0,
        easy_margin: float = 0.0,
        contrastive: nn.Module | None = None,
        seed: int = 0,
        **criterion_options,
    ):
        super().__init__()
        choices = (("variant", variant, get_args(Variant)), ("similarity", similarity, get_args(Similarity)))
        for name, value, known in choices:
            if value not in known:
                raise InputError(f"one of {', '.join(known)}", repr(value), where="EqSimLoss", row=name)
        checks.at_least_one(sample_num, "sample_num", "EqSimLoss")
        self.criterion = Criterion.from_options(criterion_options)
        self.variant, self.similarity, self.sample_num = variant, similarity, sample_num
        self.easy_weight = self.criterion.weight if easy_weight is None else easy_weight
        self.easy_proportion, self.easy_margin = easy_proportion, easy_margin
        check_easy(self.easy_weight, easy_proportion, easy_margin)
        self.contrastive = contrastive
        self.telemetry: Scalars = {}
        self.draws = StepGenerator(seed)

    @classmethod
    def released(cls, **settings) -> Self:
        """The released recipe (Flickr30K, FIBER): hard + easy on row-softmaxed logits, text and image side, weight 0.5,
        margin 0.1, 4 partners a direction; ``settings`` replace or add to it.

        Its margin is inactive below an RMS inconsistency of 0.316 between probabilities: watch ``eqsim_active``.
        """
        recipe = {"variant": "hard_easy", "similarity": "softmax", "weight": 0.5, "margin": 0.1, "sample_num": 4}
        return cls(**{**recipe, **settings})

    def forward(
        self,
        image_features: Tensor,
        text_features: Tensor | None = None,
        logit_scale: Tensor | float = 1.0,
        logit_bias: Tensor | None = None,
        *,
        partners: Tensor | None = None,
        output_dict: bool = False,
        **contrastive_inputs,
    ) -> tuple[Scalars, Scalars] | Scalars:
        """(terms, telemetry) of what an open_clip model returns, as a tuple or as a dict: normalised features (B, d),
        logit scale, and the logit bias of a SigLIP. Without ``contrastive`` also, with ``text_features`` None, of the
        similarity matrix (B, B) given first (whole, not one rank's; before the logit scale).

        partners            (B, K) int64 in place of sampled ones, for this rank's rows: indices into the gathered batch
        output_dict         True: the terms alone, as ``open_clip_train`` asks of a loss; the telemetry of the last call
                            stays in ``self.telemetry``
        contrastive_inputs  passed on to ``contrastive`` with the four above (CoCa's ``logits`` and ``labels``)

        Raises InputError for shapes that do not fit, and on the CPU for such partners or values that are not finite.
        """
        if partners is not None and self.variant == "all_pairs":
            raise InputError("partners with the hard variants only", "variant all_pairs")
        terms = {}
        if self.contrastive is not None:
            if text_features is None:
                raise InputError("features for the contrastive loss", "a matrix alone")
            inputs = {"image_features": image_features, "text_features": text_features, "logit_scale": logit_scale}
            inputs |= contrastive_inputs if logit_bias is None else {"logit_bias": logit_bias, **contrastive_inputs}
            terms = self.contrastive(**inputs, output_dict=True)
            terms = {name.removesuffix("_loss"): value for name, value in terms.items()}
        with torch.autocast(image_features.device.type, enabled=False):
            if text_features is None:
                cosine = Rows.of_matrix(checks.similarity(image_features))
            else:
                cosine = Rows.of_features(*checks.features(image_features, text_features))
            similarity = cosine if self.similarity == "cosine" else cosine.times(logit_scale)
            similarity = similarity.softmax() if self.similarity == "softmax" else similarity
            if partners is not None:
                partners = checks.partners(partners, len(cosine.rows), cosine.width, cosine.offset)
            elif self.variant != "all_pairs":
                partners = self._draw(cosine, logit_scale)
            share, telemetry = pairs_share(similarity, self.criterion, partners)
            shares: dict = {"eqsim_all_pairs" if partners is None else "eqsim_hard": share}
            if self.variant == "hard_easy" and partners is not None:
                settings = (self.easy_weight, self.easy_proportion, self.easy_margin)
                shares["eqsim_easy"] = easy_share(similarity, partners, *settings)
            if checks.readable(image_features):
                checks.finite(cosine.ranks.all_reduce(sum(shares.values())), SIMILARITIES)
        # Shares add up to the loss of one process. A trainer takes the mean over ranks.
        terms |= {name: cosine.ranks.world * share for name, share in shares.items()}
        self.telemetry = telemetry | {"pool": torch.full((), cosine.width - 1, device=image_features.device)}
        return terms if output_dict else (terms, self.telemetry)

    @torch.no_grad()
    def _draw(self, cosine: Rows, logit_scale: Tensor | float) -> Tensor:
        logits = cosine.times(logit_scale)
        uniform = partial(self.draws.uniform, device=logits.rows.device)
        return draw_partners(logits.rows, logits.cols, logits.offset, self.sample_num, uniform)
