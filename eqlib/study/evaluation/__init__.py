"""Evaluation: suites of any kind under any model, and which models the tests tell apart."""
