"""Readers of the sets of photographs that the study is tried on: forms of our own, named by ``module:function``."""
