"""EqSimLoss: the settings of EqSim and a call that a training loop understands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite, check_similarity
from eqlib.losses.contrastive import on_given_logits
from eqlib.losses.criterion import Criterion, quad_terms, reduce_terms
from eqlib.losses.eqsim import AllPairsMeans, EasySquares, check_easy, dense_pairs, hard_quads, loss_of_means
from eqlib.losses.mining import draw_partners

Variant = Literal["all_pairs", "hard", "hard_easy"]
Similarity = Literal["cosine", "logits", "softmax"]


class EqSimLoss(nn.Module):
    """EqSim beside a contrastive loss, in three lines.

    ``terms, telemetry = loss(image_features, text_features, logit_scale)``

    terms       dict of scalars with gradient, to be summed by the caller: ``contrastive`` (only with ``contrastive``),
                then ``eqsim_all_pairs``, or ``eqsim_hard``, or ``eqsim_hard`` and ``eqsim_easy``. Weights are in them.
    telemetry   dict of detached scalars over the quads in use: ``eqsim_active`` (share of quads with an active hinge,
                mean over the hinges), ``mean_a2``, ``mean_b2``, ``mean_I`` (in the similarity EqSim acts on),
                ``pool`` (pairs that a row is compared with or drawn from: the gathered batch less one).

    Settings
    variant         all_pairs: every pair of the batch; hard: ``2 sample_num`` sampled partners a row (v2);
                    hard_easy: hard, and the symmetric term over the other entries (v1 + v2)
    similarity      what EqSim acts on: ``cosine`` (the features' product), ``logits`` (times the logit scale), or
                    ``softmax`` (row softmax of the logits, the release's ``score_pre_softmax``). Weight and margin are
                    in units of its square: a margin of 0.1 that is never reached on softmax is huge on cosine
    easy_*          weight (None: as ``weight``), proportion and margin of the easy term
    contrastive     a loss of open_clip's own (``ClipLoss``, ``SigLipLoss``, ...), its terms come with EqSim's;
                    ``ClipLoss`` shares EqSim's similarity matrix
    seed            of the partners' generator, whose state is in ``state_dict()``
    others          options of `Criterion`

    Features are used as they come: normalised, as open_clip and Hugging Face give them. All terms of EqSim compute in
    float32 (float64 if given), under autocast too.
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
        for name, value, choices in (
            ("variant", variant, get_args(Variant)),
            ("similarity", similarity, get_args(Similarity)),
        ):
            if value not in choices:
                raise InputError(f"one of {', '.join(choices)}", repr(value), where="EqSimLoss", row=name)
        if isinstance(sample_num, bool) or not isinstance(sample_num, int) or sample_num < 1:
            raise InputError("an integer >= 1", repr(sample_num), where="EqSimLoss", row="sample_num")
        self.criterion = Criterion.of(criterion_options)
        self.variant, self.similarity, self.sample_num, self.seed = variant, similarity, sample_num, seed
        self.easy_weight = self.criterion.weight if easy_weight is None else easy_weight
        self.easy_proportion, self.easy_margin = easy_proportion, easy_margin
        check_easy(self.easy_weight, easy_proportion, easy_margin)
        self.contrastive = contrastive
        self._generator: torch.Generator | None = None
        self.telemetry: dict[str, Tensor] = {}

    @classmethod
    def released(cls, **settings) -> EqSimLoss:
        """The released recipe (Flickr30K, FIBER): hard + easy on row-softmaxed logits, text and image side, weight 0.5,
        margin 0.1, 4 partners a direction. Its margin is inactive below an RMS inconsistency of 0.316 between
        probabilities: watch ``eqsim_active``. Settings given replace the recipe's.
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
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]] | dict[str, Tensor]:
        """(terms, telemetry) of image and text features (B, d); with ``text_features`` None the first argument is the
        similarity matrix (B, B) itself, before the logit scale.

        partners            (B, K) int64 in place of sampled ones (hard variants)
        output_dict         True: the terms alone, as ``open_clip_train`` asks of a loss; the telemetry of the last call
                            stays in ``self.telemetry``
        contrastive_inputs  passed on to ``contrastive`` (``logit_bias``, CoCa's ``logits`` and ``labels``)
        """
        with torch.autocast(image_features.device.type, enabled=False):
            cosine = self._cosine(image_features, text_features)
            logits = logit_scale * cosine
            terms = self._contrastive(image_features, text_features, logit_scale, logits, contrastive_inputs)
            sim = {"cosine": cosine, "logits": logits}.get(self.similarity)
            sim = logits.softmax(1) if sim is None else sim
            if self.variant == "all_pairs":
                losses, telemetry = self._all_pairs(sim)
            else:
                if partners is None:
                    device = logits.device
                    partners = draw_partners(logits, logits.T, self.sample_num, 0, self._generator_on(device))
                losses, telemetry = self._hard(sim, partners)
        self.telemetry = {name: value.detach() for name, value in telemetry.items()}
        self.telemetry["pool"] = torch.tensor(len(sim) - 1)
        terms |= losses
        return terms if output_dict else (terms, self.telemetry)

    def _cosine(self, image_features: Tensor, text_features: Tensor | None) -> Tensor:
        if text_features is None:
            return check_similarity(image_features)
        check_features(image_features, text_features)
        check_batch(len(image_features))
        return at_least_float32(image_features) @ at_least_float32(text_features).T

    def _contrastive(self, image_features, text_features, logit_scale, logits, inputs) -> dict[str, Tensor]:
        if self.contrastive is None:
            return {}
        given = on_given_logits(self.contrastive)
        if given is not None:
            terms = given(logits, logits.T, None, output_dict=True)
        else:
            terms = self.contrastive(
                image_features=image_features,
                text_features=text_features,
                logit_scale=logit_scale,
                output_dict=True,
                **inputs,
            )
        return {name.removesuffix("_loss"): value for name, value in terms.items()}

    def _all_pairs(self, sim: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        options = self.criterion
        a2, b2, ab = AllPairsMeans.apply(sim)
        if options.quadratic:
            loss = loss_of_means(a2, b2, ab, options)
        else:
            loss = dense_pairs(sim, sim.T, sim.diagonal(), 0, options)
        size = len(sim)
        with torch.no_grad():
            mean_i = 2 * (size * sim.diagonal().sum() - sim.sum()) / (size * (size - 1))
            means = {"mean_a2": a2, "mean_b2": b2, "mean_I": mean_i}
            active = (torch.stack(side_means(a2, b2, ab, options)) > options.margin).float().mean()
        return {"eqsim_all_pairs": check_finite(loss, "similarities")}, {"eqsim_active": active, **means}

    def _hard(self, sim: Tensor, partners: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        options = self.criterion
        c0_i0, c1_i0, c0_i1, c1_i1 = quads = hard_quads(sim, partners)
        squares, wanted = quad_terms(*quads, options)
        terms = {"eqsim_hard": reduce_terms(squares, wanted, options, partners.numel())}
        if self.variant == "hard_easy":
            mean = EasySquares.apply(sim, partners) / sim.numel()
            terms["eqsim_easy"] = self.easy_weight / self.easy_proportion * (mean - self.easy_margin).relu()
        with torch.no_grad():
            square = torch.stack(squares)
            square = square if options.margin_before_mean else square.flatten(1).mean(1)
            telemetry = {
                "eqsim_active": (square > options.margin).float().mean(),
                "mean_a2": (c0_i0 - c1_i1).square().mean(),
                "mean_b2": (c0_i1 - c1_i0).square().mean(),
                "mean_I": (c0_i0 + c1_i1 - c1_i0 - c0_i1).mean(),
            }
        check_finite(sum(terms.values()), "similarities")
        return terms, telemetry

    def _generator_on(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        return self._generator

    def get_extra_state(self) -> dict[str, Tensor]:
        return {} if self._generator is None else {"partners": self._generator.get_state()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self._generator = None
        if "partners" in state:
            self._generator = torch.Generator()
            self._generator.set_state(state["partners"])

    def extra_repr(self) -> str:
        settings = {"variant": self.variant, "similarity": self.similarity, **asdict(self.criterion)}
        return ", ".join(f"{name}={value}" for name, value in settings.items())


def side_means(a2: Tensor, b2: Tensor, ab: Tensor, options: Criterion) -> list[Tensor]:
    text, image = a2 + b2 + 2 * ab, a2 + b2 - 2 * ab
    return [text] * options.text_side + [image] * options.image_side + [b2, b2] * options.group_side
