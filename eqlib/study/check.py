"""Every section of params.yaml before the first stage, all errors at once: ``python -m eqlib.study.check [OUTPUT]``;
with ``--schema`` what each may hold, as JSON Schema.

A section is a record below; keys that it lacks are refused. What one section says of another is looked at as well, and
every combination of ``select.grids`` becomes an objective. Nothing is drawn, downloaded or read of the data.
"""

import inspect
import json
import sys
from contextlib import suppress
from dataclasses import KW_ONLY
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import open_clip
from open_clip.transform import AugmentationCfg
from PIL import Image
from pydantic import AfterValidator, Field, TypeAdapter

from eqlib.errors import InputError
from eqlib.files import read_json, relative, write_json
from eqlib.losses import EqSimLoss
from eqlib.models.clip import load
from eqlib.study import parameters
from eqlib.study.command import command
from eqlib.study.evaluation.kinds import RETRIEVAL
from eqlib.study.fusion.train import METHODS
from eqlib.study.parameters import Count, Level, Positive, Seed, problems, record
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.edits import EDITS
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import Recipe
from eqlib.study.training.run import Options
from eqlib.suites.read import reader_of

PARAMS = "params.yaml"


def _distinct(values: list) -> list:
    if len(set(values)) < len(values):
        raise InputError("each value once", repr(values))
    return values


def _inside_or_absolute(path: str) -> str:
    return path if Path(path).is_absolute() else relative(path)


def _known(reader: str) -> str:
    reader_of(reader)
    return reader


def _readable(suite: dict[str, Any]) -> dict[str, Any]:
    for wrong in problems(Suite, {key: value for key, value in suite.items() if key in ("reader", "path")}):
        raise wrong
    known = sorted(inspect.signature(reader_of(suite["reader"])).parameters.keys() - {"path"})
    for option in suite.keys() - {"reader", "path", *known}:
        raise InputError(f"an option of its reader ({', '.join(known)})", "another", row=option)
    return suite


Text = Annotated[str, Field(min_length=1)]
Inside = Annotated[str, AfterValidator(relative)]  # a path that stays under data_root
Distinct = AfterValidator(_distinct)
Some = Field(min_length=1)


@record
class Model:
    """One entry of ``study.models``: ``name`` names its folder, ``model`` and ``head`` are `eqlib.models.opening`'s."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]
    model: Text
    head: str = ""
    published: str = ""


@record
class Study:
    """Which runs there are: ``methods`` times ``seeds``, from the pretrained models of the seeds ``starts``, compared
    with the ``baseline`` among them; and the ``models`` that are evaluated beside them."""

    methods: Annotated[list[str], Some, Distinct]
    baseline: str
    seeds: Annotated[list[Seed], Some, Distinct]
    starts: Annotated[list[Seed], Some, Distinct]
    models: list[Model] = Field(default_factory=list)

    def __post_init__(self) -> None:
        names = ["pretrained", *self.methods, *(entry.name for entry in self.models)]
        if len(set(names)) < len(names):
            raise InputError("a name for each method and model, pretrained being one", ", ".join(names), row="models")
        if self.baseline not in self.methods:
            raise InputError(f"one of study.methods ({', '.join(self.methods)})", repr(self.baseline), row="baseline")
        if len(self.starts) not in (1, len(self.seeds)):
            raise InputError(
                f"one seed, or {len(self.seeds)}, one for each of study.seeds", len(self.starts), row="starts"
            )


@record
class Data:
    """What is read, see `eqlib.study.training.data`. A suite has ``reader``, ``path`` and the reader's own options."""

    data_root: Text
    captions: Annotated[str, AfterValidator(_inside_or_absolute)]
    splits: Annotated[dict[Literal["pretrain", "train", "val"], str], Field(min_length=3)]
    suites: Annotated[dict[str, Annotated[dict[str, str | bool | int | list[str]], AfterValidator(_readable)]], Some]
    validation: str

    def __post_init__(self) -> None:
        if self.validation not in self.suites:
            names = ", ".join(self.suites)
            raise InputError(f"a suite of data.suites ({names})", repr(self.validation), row="validation")
        if RETRIEVAL in self.suites:
            raise InputError(
                "another name: the validation captions are evaluated under this one", RETRIEVAL, row="suites"
            )


@record
class Suite:
    """One entry of ``data.suites`` but for the reader's own options."""

    reader: Annotated[str, AfterValidator(_known)]
    path: Inside


@record
class Scenes(Dials):
    """The drawn benchmark, see `eqlib.study.scenes.build`: its dials, and how many of each kind."""

    _: KW_ONLY
    seed: Seed
    size: Annotated[int, Field(ge=16, le=4096)]
    pretrain: Count
    train: Count
    train_pairs: Count
    val: Count
    quads_val: Count
    quads_test: Count
    quads_compositional: Count
    classes: Count
    subsets: Annotated[list[Literal[tuple(EDITS)]], Some, Distinct]
    captions: Positive
    noise: Annotated[float, Field(ge=0, le=1)]
    workers: Positive


@record
class Released:
    """Released systems' published scores; ``level`` of their intervals."""

    level: Level = 0.95


@record
class Fusion:
    """A cross-encoder under ``methods`` of `eqlib.study.fusion.train` times ``partners`` times ``seeds``, from layers
    trained with each seed of ``starts``: no stage where these are none. ``test`` names a suite."""

    starts: Annotated[list[Seed], Distinct]
    seeds: Annotated[list[Seed], Some, Distinct]
    methods: Annotated[list[Literal[tuple(METHODS)]], Some, Distinct]
    partners: Annotated[list[Literal["drawn", "mates"]], Some, Distinct]
    start_steps: Positive
    start_lr: Annotated[float, Field(gt=0)]
    steps: Positive
    batch: Annotated[int, Field(ge=2)]
    lr: Annotated[float, Field(gt=0)]
    warmup: Count
    test: Text


@record
class Select:
    """Settings to try: of each method the products of lists, with a seed that the study does not use."""

    grids: dict[str, Annotated[list[dict[str, Annotated[list[str | float | bool], Some]]], Some]]
    seed: Seed


@record
class Evaluate:
    """How pictures are encoded; ``cache`` is a folder for features."""

    batch: Positive
    workers: Count = 0
    cache: str | None = None

    def __post_init__(self) -> None:
        if self.cache is not None and Path(self.cache).is_file():
            raise InputError("a folder", "a file", row="cache")


@record
class Tradeoff:
    """Weights between pretrained and fine-tuned; ``classes`` is a folder under data_root, or empty."""

    classes: str
    alphas: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Some]
    templates: Annotated[list[Text], Some] = Field(default_factory=lambda: ["a {}"])

    def __post_init__(self) -> None:
        if self.classes:
            relative(self.classes, row="classes")


@record
class Maps:
    """Linear maps on frozen features: ``weights`` of the contrast inside minimal pairs, one chosen on validation; then
    ``shares`` of the quads of ``test``, most confident first, round by round in test-time matching."""

    test: Text
    seeds: Annotated[list[Seed], Some, Distinct]
    weights: Annotated[list[Annotated[float, Field(ge=0)]], Some, Distinct]
    steps: Positive
    batch: Annotated[int, Field(ge=2)]
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Some, Distinct]


@record
class Compare:
    """``controls`` are methods that the others are compared with beside the baseline; ``primary`` is the suite whose
    group score is the endpoint, or empty."""

    controls: Annotated[list[str], Distinct]
    primary: str
    level: Level


@record
class Conformance:
    """``real_scores``: a folder of released score files, or empty."""

    real_scores: str
    level: Level = 0.95


@record
class Finetune(Options, Recipe):
    """A run's settings, on ``processes``; each run has a seed of its own. ``losses`` are settings of methods."""

    _: KW_ONLY
    seed: Seed = 0
    processes: Positive = 1
    losses: dict[str, dict[str, Any]] = Field(default_factory=dict)


@record
class Pretrain(Options, Recipe):
    """A run's settings, on ``processes``, from the model ``init``, which 0 ``steps`` leave as it is."""

    _: KW_ONLY
    init: Text
    seed: Seed = 0
    steps: Count
    processes: Positive = 1

    def __post_init__(self) -> None:
        if self.steps:
            super().__post_init__()


SECTIONS = {
    "study": Study, "data": Data, "scenes": Scenes, "released": Released, "pretrain": Pretrain, "finetune": Finetune,
    "fusion": Fusion, "select": Select, "evaluate": Evaluate, "tradeoff": Tradeoff, "maps": Maps,
    "compare": Compare, "conformance": Conformance,
}  # fmt: skip


def found(params: dict[str, Any]) -> list[InputError]:
    """Everything that is wrong with the sections of params.yaml; ``row`` is section and key, dots descend."""
    wrong = [
        InputError(f"a section of {', '.join(SECTIONS)}", "an unknown one", row=name)
        for name in params.keys() - SECTIONS.keys()
    ]
    for name, kind in SECTIONS.items():
        values = params.get(name)
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            wrong.append(InputError("a mapping of names to values", repr(values), row=name))
            continue
        wrong += [InputError(one.expected, one.got, row=f"{name}.{one.row}") for one in problems(kind, values)]
    with suppress(Exception if wrong else ()):  # sections that are wrong may be too wrong to be compared
        _between(params, wrong)
    return list({str(one): one for one in wrong}.values())


def schema() -> dict[str, Any]:
    """Section -> its JSON Schema, described by the docstrings of its record and of those that it extends."""
    made = {name: TypeAdapter(kind).json_schema() for name, kind in SECTIONS.items()}
    for name, kind in SECTIONS.items():
        made[name]["description"] = "\n\n".join(str(inspect.getdoc(part)) for part in kind.__mro__[:-1])
    return made


def _between(params: dict[str, Any], wrong: list[InputError]) -> None:
    """Adds to ``wrong`` what sections do not agree on, and what a method or a model does not take."""
    study = params["study"]

    def expect(right: bool, expected: str, got: object, row: str) -> None:
        if not right:
            wrong.append(InputError(expected, got, row=row))

    def attempt(row: str, function, *arguments, **options) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:  # a setting of a wrong type may fail anywhere
            told = (error.expected, error.got) if isinstance(error, InputError) else ("another value", error)
            wrong.append(InputError(*told, row=row))

    others = [method for method in study["methods"] if method != study["baseline"]]
    for control in params["compare"]["controls"]:
        expect(control in others, f"one of {', '.join(others) or 'no method'}", repr(control), "compare.controls")
    primary, held = params["compare"]["primary"], params["data"]["suites"].keys() - {params["data"]["validation"]}
    expect(
        primary in {"", *held}, f"a suite but the validation's ({', '.join(held)})", repr(primary), "compare.primary"
    )
    seed = params["select"]["seed"]
    expect(seed not in study["seeds"], "a seed that study.seeds does not have", seed, "select.seed")
    tried = [(f"select.grids.{m}", m, dict(zip(lists, values, strict=True)))
             for m, products in params["select"]["grids"].items() for lists in products
             for values in product(*lists.values())]  # fmt: skip
    tried += [(f"finetune.losses.{m}", m, settings) for m, settings in params["finetune"].get("losses", {}).items()]
    bias = attempt("pretrain.init", _has_bias, params["pretrain"]["init"])
    biased = "a model with a logit bias (init_logit_bias in the config of pretrain.init) for siglip"
    batch = params["finetune"]["batch"]
    for row, method, settings in [("study.methods", method, {}) for method in study["methods"]] + tried:
        made = attempt(row, Objective, method, settings, dim=1)
        for loss in made.losses.values() if made else ():
            expect(bias is not False or "logit_bias" not in loss.takes, biased, repr(method), row)
            if isinstance(loss, EqSimLoss) and loss.variant.startswith("hard") and not loss.takes:
                expect(loss.sample_num < batch, f"sample_num < finetune.batch ({batch})", loss.sample_num, row)
    for name in ("pretrain", "finetune"):
        attempt(f"{name}.aug_cfg", AugmentationCfg, **params[name].get("aug_cfg", {}))


def _has_bias(init: str) -> bool | None:
    """Whether the model has a logit bias; None where only its weights, which are not here, can tell. A config of one's
    own is tried on a picture and a caption."""
    architecture = init.partition("/")[0]
    if init.endswith(".json"):
        bundle = load(init)
        pixels = bundle.preprocess_val(Image.new("RGB", (8, 8)))[None]
        if not (bundle.encode_images(pixels).isfinite().all() and bundle.encode_captions(["a"]).isfinite().all()):
            raise InputError("a model whose features are finite", "NaN or infinity")
        return getattr(bundle.model, "logit_bias", None) is not None
    if (config := Path(init.removeprefix("local-dir:")) / "open_clip_config.json").is_file():
        return "init_logit_bias" in read_json(config)["model_cfg"]
    if architecture in open_clip.list_models():
        return "init_logit_bias" in open_clip.get_model_config(architecture)
    return None


def require(params: dict[str, Any], *, where: str | None = None) -> None:
    """Raises an ExceptionGroup of all that is `found`, ``where`` being the file."""
    if wrong := found(params):
        raise ExceptionGroup(PARAMS, [InputError(one.expected, one.got, where=where, row=one.row) for one in wrong])


@command
def main(arguments: list[str]) -> int:
    if arguments == ["--schema"]:
        print(json.dumps(schema(), indent=1))
        return 0
    require(parameters.sections(PARAMS), where=PARAMS)
    if arguments:
        write_json(arguments[0], sorted(SECTIONS))  # the same whatever the values: no stage runs again for it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
