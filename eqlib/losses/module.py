"""EqSimLoss: the settings of EqSim and a call that a training loop understands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from eqlib.errors import InputError
from eqlib.losses.checks import (
    at_least_float32,
    check_batch,
    check_features,
    check_finite,
    check_partners,
    check_similarity,
)
from eqlib.losses.contrastive import on_given_logits
from eqlib.losses.criterion import Criterion, quad_terms, reduce_terms
from eqlib.losses.draws import Draws
from eqlib.losses.eqsim import check_easy, loss_of_means
from eqlib.losses.gram import Gram, gram_pays
from eqlib.losses.mining import draw_partners
from eqlib.losses.ranks import ALONE, Ranks
from eqlib.losses.similarity import Rows, Whole, similarity_of

Variant = Literal["all_pairs", "hard", "hard_easy"]
Similarity = Literal["cosine", "logits", "softmax"]
OverRanks = Literal["mean", "sum"]
Scalars = dict[str, Tensor]


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
                    in units of its square: a margin of 0.1 that softmax never reaches is 0.316 in cosine
    easy_*          weight (None: as ``weight``), proportion and margin of the easy term
    contrastive     a loss of open_clip's own (``ClipLoss``, ``SigLipLoss``, ...) whose terms come with EqSim's.
                    ``ClipLoss`` reads EqSim's similarity matrix in place of two products of its own
    local_loss      with several ranks, each computes only its rows (B_local x B_global) instead of all.
                    None: as ``contrastive`` has it, else False
    over_ranks      mean: the mean over ranks, which DistributedDataParallel takes, is the loss of one process;
                    sum: the sum over ranks is
    check_values    raise InputError where similarities are inf or nan. False leaves them to the trainer (a GradScaler
                    skips such steps) and saves a GPU one synchronisation
    seed            of the partners' generator, whose state is in ``state_dict()``
    others          options of `Criterion`

    Features are used as they come: normalised, as open_clip and Hugging Face give them. With an initialised process
    group they are gathered with gradient. All terms compute in float32 (float64 where given), under autocast too.

    A plain loop::

        loss = EqSimLoss(weight=4.0, contrastive=open_clip.ClipLoss())
        terms, telemetry = loss(*model(images, texts))
        sum(terms.values()).backward()

    open_clip_train (before its ``main(arguments)``)::

        import open_clip_train.main as training
        create_loss = training.create_loss
        training.create_loss = lambda args: EqSimLoss(weight=4.0, contrastive=create_loss(args))

    Hugging Face, in a ``Trainer`` whose model is a CLIPModel (``eqsim = EqSimLoss(..., contrastive=ClipLoss())``)::

        def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
            out = model(**inputs)
            terms, telemetry = eqsim(out.image_embeds, out.text_embeds, model.logit_scale.exp())
            return (sum(terms.values()), out) if return_outputs else sum(terms.values())
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
        local_loss: bool | None = None,
        over_ranks: OverRanks = "mean",
        check_values: bool = True,
        seed: int = 0,
        **criterion_options,
    ):
        super().__init__()
        for name, value, choices in (
            ("variant", variant, get_args(Variant)),
            ("similarity", similarity, get_args(Similarity)),
            ("over_ranks", over_ranks, get_args(OverRanks)),
        ):
            if value not in choices:
                raise InputError(f"one of {', '.join(choices)}", repr(value), where="EqSimLoss", row=name)
        if isinstance(sample_num, bool) or not isinstance(sample_num, int) or sample_num < 1:
            raise InputError("an integer >= 1", repr(sample_num), where="EqSimLoss", row="sample_num")
        self.criterion = Criterion.of(criterion_options)
        self.variant, self.similarity, self.sample_num = variant, similarity, sample_num
        self.easy_weight = self.criterion.weight if easy_weight is None else easy_weight
        self.easy_proportion, self.easy_margin = easy_proportion, easy_margin
        check_easy(self.easy_weight, easy_proportion, easy_margin)
        self.contrastive = contrastive
        self.local_loss = bool(getattr(contrastive, "local_loss", False)) if local_loss is None else local_loss
        self.over_ranks, self.check_values = over_ranks, check_values
        self.telemetry: Scalars = {}
        self.draws = Draws(seed)

    @classmethod
    def released(cls, **settings) -> EqSimLoss:
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
        *,
        partners: Tensor | None = None,
        output_dict: bool = False,
        **contrastive_inputs,
    ) -> tuple[Scalars, Scalars] | Scalars:
        """(terms, telemetry) of normalised features (B, d), or, with ``text_features`` None, of the similarity matrix
        (B, B) given first (whole, not one rank's; before the logit scale).

        partners            (B, K) int64 in place of sampled ones, indices into the gathered batch. B counts this rank's
                            rows with ``local_loss``, else all rows
        output_dict         True: the terms alone, as ``open_clip_train`` asks of a loss; the telemetry of the last call
                            stays in ``self.telemetry``
        contrastive_inputs  passed on to ``contrastive`` (``logit_bias``, CoCa's ``logits`` and ``labels``)
        """
        if partners is not None and self.variant == "all_pairs":
            raise InputError("partners with the hard variants only", "variant all_pairs")
        ranks = Ranks.current() if text_features is not None else ALONE
        shared = on_given_logits(self.contrastive, ranks, self.local_loss)
        terms = {}
        if self.contrastive is not None and shared is None:  # as it is, under the caller's autocast
            if text_features is None:
                raise InputError("features: a contrastive loss other than ClipLoss takes no matrix", "a matrix alone")
            inputs = {"image_features": image_features, "text_features": text_features, "logit_scale": logit_scale}
            terms = self.contrastive(**inputs, output_dict=True, **contrastive_inputs)
        with torch.autocast(image_features.device.type, enabled=False):
            cosine = self._cosine(image_features, text_features, ranks, shared is not None)
            draws = self.variant != "all_pairs" and partners is None
            logits = None
            if shared is not None or draws or self.similarity != "cosine":
                logits = cosine.times(logit_scale)
            if shared is not None:
                terms = shared(logits.rows, logits.cols, None, output_dict=True, **contrastive_inputs)
            similarity = cosine if self.similarity == "cosine" else logits
            similarity = logits.softmax() if self.similarity == "softmax" else similarity
            if self.variant == "all_pairs":
                shares, telemetry = self._all_pairs(similarity)
            else:
                if draws:
                    partners = self._draw(logits)
                else:
                    partners = check_partners(partners, len(similarity.rows), similarity.width, similarity.offset)
                shares, telemetry = self._hard(similarity, partners)
            if self.check_values:
                check_finite(similarity.ranks.total(sum(shares.values())), self.criterion.asks_for)
        local = similarity.ranks.world > 1
        factor = 1.0 if local == (self.over_ranks == "sum") else ranks.world if local else 1 / ranks.world
        terms = {name.removesuffix("_loss"): value for name, value in terms.items()}
        terms |= {name: factor * share for name, share in shares.items()}
        self.telemetry = {**telemetry, "pool": torch.tensor(similarity.width - 1)}
        return terms if output_dict else (terms, self.telemetry)

    def _cosine(self, image: Tensor, text: Tensor | None, ranks: Ranks, wanted: bool) -> Rows | Gram:
        """What EqSim reads: the matrix given, that of the features, or the features alone where nothing else needs it
        (``wanted``) and they are the faster way."""
        if text is None:
            return Whole.of(check_similarity(image))
        check_features(image, text)
        check_batch(len(image) * ranks.world)
        image, text = at_least_float32(image), at_least_float32(text)
        plain = self.variant == "all_pairs" and self.similarity == "cosine" and self.criterion.quadratic
        if plain and not wanted and gram_pays(len(image), image.shape[1], ranks):
            return Gram(image, text, ranks)
        return similarity_of(image, text, ranks, self.local_loss)

    def _all_pairs(self, similarity: Rows | Gram) -> tuple[Scalars, Scalars]:
        options, ranks = self.criterion, similarity.ranks
        means = similarity.pair_means()
        with torch.no_grad():
            a2, b2, ab, gap = ranks.total(torch.stack([*means, similarity.mean_gap()])).unbind()
            hinges = {"text_side": a2 + b2 + 2 * ab, "image_side": a2 + b2 - 2 * ab, "group_side": b2}
            active = torch.stack([mean for side, mean in hinges.items() if getattr(options, side)]) > options.margin
        if options.quadratic:
            loss = loss_of_means(*means, options, ranks)
        else:
            squares, wanted = similarity.pair_terms(options)
            loss = reduce_terms(squares, wanted, options, similarity.pairs, ranks)
            active = active_share(squares, options, similarity.pairs, ranks)
        telemetry = {"eqsim_active": active.float().mean(), "mean_a2": a2, "mean_b2": b2, "mean_I": gap}
        return {"eqsim_all_pairs": loss}, telemetry

    def _hard(self, similarity: Rows, partners: Tensor) -> tuple[Scalars, Scalars]:
        options, ranks = self.criterion, similarity.ranks
        count = partners.numel() * ranks.world
        quads = similarity.hard_quads(partners)
        squares, wanted = quad_terms(*quads, options)
        shares = {"eqsim_hard": reduce_terms(squares, wanted, options, count, ranks)}
        if self.variant == "hard_easy":
            mean = similarity.easy_squares(partners) / similarity.width**2
            shares["eqsim_easy"] = self.easy_weight / self.easy_proportion * ranks.hinge(mean, self.easy_margin)
        with torch.no_grad():
            c0_i0, c1_i0, c0_i1, c1_i1 = quads
            sums = [(c0_i0 - c1_i1).square(), (c0_i1 - c1_i0).square(), c0_i0 + c1_i1 - c1_i0 - c0_i1]
            a2, b2, gap = ranks.total(torch.stack([values.sum() for values in sums]) / count).unbind()
            active = active_share(squares, options, count, ranks).mean()
        return shares, {"eqsim_active": active, "mean_a2": a2, "mean_b2": b2, "mean_I": gap}

    def _draw(self, logits: Rows) -> Tensor:
        # Ranks that hold different rows draw differently, ranks that each hold all rows draw the same.
        generator = self.draws.on(logits.rows.device, rank=logits.ranks.rank)
        return draw_partners(logits.rows, logits.cols, self.sample_num, logits.offset, generator)

    def extra_repr(self) -> str:
        settings = {"variant": self.variant, "similarity": self.similarity, **asdict(self.criterion)}
        return ", ".join(f"{name}={value}" for name, value in settings.items())


def active_share(squares: list[Tensor], options: Criterion, count: int, ranks: Ranks) -> Tensor:
    """For each hinge, the share of the ``count`` quads on its paying side: 0 or 1 with the margin after the mean."""
    with torch.no_grad():
        stacked = torch.stack(squares).flatten(1)
        if options.before_the_mean:
            return ranks.total((stacked > 0).sum(1) / count)
        return (ranks.total(stacked.sum(1) / count) > options.margin).float()
