"""A subset or an average of a panel: which quads count how much, and which of them stand or fall together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Cell:
    """One mean over quads: the quads ``rows`` (m,) with ``weights`` (m,) that sum to 1, in their ``subset`` and
    ``cluster`` (both (m,) codes 0, 1, ... without gaps)."""

    name: str
    average: bool
    rows: np.ndarray
    weights: np.ndarray
    subset: np.ndarray
    cluster: np.ndarray

    @property
    def n(self) -> int:
        return len(self.rows)

    @cached_property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1

    @property
    def independent(self) -> bool:
        """Every quad is a cluster of its own, and all count alike."""
        return self.clusters == self.n and bool((self.weights == self.weights[0]).all())

    @cached_property
    def size(self) -> float:
        """How many equal quads these weights are worth (Kish 1965): n where all count alike."""
        return 1 / float(self.weights @ self.weights)

    @cached_property
    def units(self) -> float:
        """How many equal clusters these clusters are worth: G where all count alike."""
        return 1 / float(self._shares @ self._shares)

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of ``moments``' variance, by Satterthwaite, were all quads of a cluster alike: G - 1 for
        equal clusters of one subset, fewer where few clusters hold most quads (Carter, Schnepel and Steigerwald 2017).
        0 where the spread between clusters cannot be seen: there is one alone, or a subset of an average has one."""
        strata, squares = self._strata, self._shares**2
        if strata is None:
            return 0.0
        variance, fourth = np.bincount(strata, squares), np.bincount(strata, squares**2)
        own = np.maximum(variance**2 / fourth - 1, 1)
        return float(variance.sum() ** 2 / (variance**2 / own).sum())

    @cached_property
    def _shares(self) -> np.ndarray:
        """(G,) what each cluster counts."""
        return np.bincount(self.cluster, self.weights)

    @cached_property
    def _strata(self) -> np.ndarray | None:
        """(G,) the part of the suite that each cluster is a draw from: its subset, where every subset has several
        clusters of its own, else the whole. None where that does not answer either."""
        pairs = np.unique(np.stack([self.cluster, self.subset]), axis=1)
        nested = pairs.shape[1] == self.clusters
        if nested and (np.bincount(pairs[1]) > 1).all():
            return pairs[1]
        if self.clusters == 1 or (nested and np.ptp(self.weights) > 0):
            return None  # a macro average with a subset whose spread is not seen
        return np.zeros(self.clusters, dtype=np.int64)

    def moments(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means (runs,) of ``values`` (runs, n of the panel) and their covariance (runs, runs) over clusters.

        The cluster-robust ("sandwich") covariance of weighted means, clusters drawn within their strata, with the
        factor G / (G - 1) a stratum. NaN where ``freedom`` is 0.
        """
        x = values[:, self.rows].astype(np.float64)
        sizes = np.bincount(self.subset)
        centres = np.stack([np.bincount(self.subset, row) for row in x]) / sizes
        macro = np.ptp(self.weights) > 0
        means = centres @ np.bincount(self.subset, self.weights) if macro else x.sum(axis=1) / self.n
        strata = self._strata
        if strata is None:
            return means, np.full((len(x), len(x)), np.nan)
        centres = centres[:, self.subset] if macro or strata.any() else means[:, None]
        residuals = self.weights * (x - centres)
        totals = np.stack([np.bincount(self.cluster, row, minlength=self.clusters) for row in residuals])
        drawn = np.bincount(strata)
        totals *= np.sqrt(drawn / (drawn - 1))[strata]
        return means, totals @ totals.T
