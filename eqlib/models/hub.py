"""The folder of a model on the Hugging Face hub: from the local cache, else downloaded; weights that run no code."""

from __future__ import annotations

import fnmatch
from contextlib import suppress
from pathlib import Path

from huggingface_hub import model_info, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from eqlib.errors import InputError


def snapshot(name: str, weights: str, where: str) -> tuple[Path, str]:
    """(folder, commit) of ``name``, an id of the hub or ID@REVISION, with configs, vocabularies and ``weights``.

    ``weights`` is a pattern, for a repository may hold them in the layouts of several libraries. ``where`` is how the
    user wrote the name. What is in the cache is taken as it is, without a question to the hub. Raises InputError, at
    once where there is no network, for a model that is neither cached nor to be had, and for weights in a pickle.
    """
    repository, _, revision = name.partition("@")
    asked: dict = {
        "repo_id": repository,
        "revision": revision or None,
        "allow_patterns": ["*.json", "*.txt", "*.model", "*.jinja", weights],
    }
    with suppress(LocalEntryNotFoundError, ValueError):
        folder = Path(snapshot_download(**asked, local_files_only=True))
        if any(folder.glob(weights)):  # none after a download that was broken off
            return folder, folder.name
    try:
        # one question without retries: the download itself would try for the better part of a minute
        info = model_info(repository, revision=revision or None, timeout=10)
        files = [file.rfilename for file in info.siblings or []]
        if fnmatch.filter(files, weights):
            folder = Path(snapshot_download(**asked))
    except Exception as error:  # no network, no such model, gated, ...
        got = f"{type(error).__name__}: {error}"
        raise InputError("a model on the hub, downloadable or cached", got, where=where) from error
    refuse_pickles(files, weights, where)
    return folder, folder.name


def refuse_pickles(files: list[str], weights: str, where: str | Path) -> None:
    """Raise InputError where no name among ``files`` is of ``weights``, a pattern of safetensors."""
    if not fnmatch.filter(files, weights):
        pickles = [name for name in files if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
        remedy = ", made by safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW)" if pickles else ""
        raise InputError(f"weights as {weights}{remedy}", ", ".join(pickles) or "none", where=where)
