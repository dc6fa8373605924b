"""What a reader returns: records with pictures under one root, stamped with an edition and a content hash.

Each kind of suite is one frozen dataclass around a table of records, one row an item. ``item`` (``quad`` in a
QuadSuite) is unique within the suite, ``subset`` names the part that is reported on its own, ``cluster`` the unit of
sampling (items cut from one video or one picture share it). Image paths are relative to ``root``.
"""

from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from eqlib.quads import check_subsets


@dataclass(frozen=True, eq=False)
class Suite:
    """Base of every suite with a record table.

    ``digest`` is the SHA-256 (hex) of the annotation read, not of the pictures: two editions of one set that differ
    only in picture format share records but differ in ``edition``. ``notes`` says what the reader chose (filters, first
    captions).
    """

    name: str
    edition: str
    digest: str
    root: Path
    records: pd.DataFrame
    notes: tuple[str, ...] = ()

    COLUMNS: ClassVar[tuple[str, ...]] = ()
    IMAGES: ClassVar[tuple[str, ...]] = ()
    CAPTIONS: ClassVar[tuple[str, ...]] = ()
    ID: ClassVar[str] = "item"

    def __post_init__(self) -> None:
        missing = [name for name in self.COLUMNS if name not in self.records]
        if missing:
            raise ValueError(f"{type(self).__name__} {self.name!r} lacks columns {missing}")
        check_subsets(self.records["subset"].unique(), where=self.name)

    def __len__(self) -> int:
        return len(self.records)

    def counts(self) -> dict[str, int]:
        """Records per subset, in order of first appearance."""
        return self.records["subset"].value_counts(sort=False).to_dict()

    def pictures(self) -> pd.DataFrame:
        """Columns subset, record ("quad 3, image1"), picture: what asks for which picture; one may serve several."""
        asked = self.records.melt(["subset", self.ID], self.IMAGES, "image", "picture", ignore_index=False)
        record = f"{self.ID} " + asked[self.ID].astype(str) + ", " + asked["image"]
        return asked.assign(record=record)[["subset", "record", "picture"]].sort_index(kind="stable")


class QuadSuite(Suite):
    """Two matched image-caption pairs a record: ``image0`` with ``caption0``, ``image1`` with ``caption1``."""

    IMAGES = ("image0", "image1")
    CAPTIONS = ("caption0", "caption1")
    ID = "quad"
    COLUMNS = ("quad", "subset", "cluster", *IMAGES, *CAPTIONS)


class FoilSuite(Suite):
    """One image with its caption and a foil: right when the caption scores higher (VALSE, SugarCrepe)."""

    IMAGES = ("image",)
    CAPTIONS = ("caption", "foil")
    COLUMNS = ("item", "subset", "cluster", *IMAGES, *CAPTIONS)


@dataclass(frozen=True, eq=False)
class RetrievalSuite:
    """Images and captions to find each other; ``image_of_caption`` (m,) int64 indexes ``images``.

    For training two fields more, None where the file tells nothing. ``groups`` (n,) int64: images of one number, as the
    two sides of a minimal pair, belong into one batch. ``negatives``: for each caption a text that is false of its
    image, "" where it has none.
    """

    name: str
    edition: str
    digest: str
    root: Path
    images: list[str]
    captions: list[str]
    image_of_caption: np.ndarray
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    negatives: list[str] | None = None

    def __len__(self) -> int:
        return len(self.captions)

    def counts(self) -> dict[str, int]:
        return {"all": len(self)}

    def pictures(self) -> pd.DataFrame:
        """As ``Suite.pictures``."""
        record = [f"image {n}" for n in range(len(self.images))]
        return pd.DataFrame({"subset": "all", "record": record, "picture": self.images})

    def keep(self, kept: np.ndarray) -> "RetrievalSuite":
        """The images with True in ``kept`` (n,) bool, and with them their captions, groups and negatives."""
        place, said = kept.cumsum() - 1, kept[self.image_of_caption]
        return replace(
            self,
            images=list(compress(self.images, kept)),
            captions=list(compress(self.captions, said)),
            image_of_caption=place[self.image_of_caption[said]],
            groups=None if self.groups is None else self.groups[kept],
            negatives=self.negatives and list(compress(self.negatives, said)),
        )


AnySuite = Suite | RetrievalSuite
