"""Benchmark formats: one reader a format, one table ``name -> reader``."""

from eqlib.suites.read import READERS, read
from eqlib.suites.suite import FoilSuite, QuadSuite, RetrievalSuite, Suite

__all__ = [
    "READERS",
    "FoilSuite",
    "QuadSuite",
    "RetrievalSuite",
    "Suite",
    "read",
]
