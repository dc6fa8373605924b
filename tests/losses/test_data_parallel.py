"""Gloo in real processes: every loss and every parameter's gradient equal those of one process."""

from __future__ import annotations

import multiprocessing

import gloo_ranks
import pytest
import torch
import torch.multiprocessing


@pytest.fixture(scope="module")
def alone():
    return {name: gloo_ranks.step(case) for name, case in gloo_ranks.cases().items()}


@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_make_the_loss_and_gradient_of_one_process(world, alone, tmp_path):
    multiprocessing.set_forkserver_preload(["open_clip", "eqlib.losses"])  # imported once, not once a rank
    torch.multiprocessing.start_processes(
        gloo_ranks.run_rank, args=(world, str(tmp_path)), nprocs=world, start_method="forkserver"
    )
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(world)]
    for name, (terms, grads) in alone.items():
        for term, value in terms.items():
            of_ranks = [rank[name][0][term] for rank in ranks]
            assert sum(of_ranks) / world == pytest.approx(value, rel=1e-6, abs=1e-9), (name, term)
            if "telemetry" in term or name in ("contrastive", "cyclip", "negclip"):
                assert max(of_ranks) == min(of_ranks), (name, term)
        for rank in ranks:
            for parameter, grad in grads.items():
                torch.testing.assert_close(
                    rank[name][1][parameter],
                    grad,
                    rtol=1e-6,
                    atol=1e-9,
                    msg=lambda m, n=name, p=parameter: f"{n} {p} {m}",
                )


def test_hinges_of_the_cases_are_on_both_sides(alone):
    # Otherwise the comparison above would be one of zeros.
    active = {terms["telemetry eqsim_active"] for terms, _ in alone.values() if "telemetry pool" in terms}
    assert {0.0, 1.0} <= active
    assert any(0 < value < 1 for value in active)
    assert any(terms.get("eqsim_easy", 0) > 0 for terms, _ in alone.values())
