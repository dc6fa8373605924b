"""The pages of docs/: their code runs, their links lead somewhere, and the site of them is built without a warning."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from html.parser import HTMLParser
from importlib import import_module
from urllib.parse import unquote, urlsplit

import pytest
from ruamel.yaml import YAML

MADE = {"guide.md", "report.md"}  # by docs/hooks.py
FOLLOWED = ("start-score", "start-loop", "start-study", "examples")  # own-data and data: tests/study


def blocks(text, *kinds):
    return re.findall(rf"^```({'|'.join(kinds)})\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(command, root, capsys):
    """What ``eqlib ...`` prints, or ``python -m module ...``, which a page runs in a clone."""
    words = shlex.split(command)
    module, *arguments = words[2:] if words[:2] == ["python", "-m"] else ["eqlib.cli", *words[1:]]
    capsys.readouterr()
    with chdir(root if words[0] == "python" else "."):
        assert import_module(module).main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_code_of_a_page_runs_in_its_order(name, root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    known, given = set(sys.modules), {}
    if name == "examples":  # it adds a line to the table of losses
        from eqlib.study.training.losses import LOSSES

        monkeypatch.setitem(LOSSES, "gap", None)
    for kind, text in blocks((root / f"docs/{name}.md").read_text(), "python", "console"):
        if kind == "console":
            for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
                told = [line.strip() for line in run(command, root, capsys).splitlines()]
                for line in printed.splitlines():
                    assert line.strip() in told, command
        elif file := re.match(r"# (\w+\.py)\n", text):
            (tmp_path / file[1]).write_text(text)
        else:
            exec(text, given)
    for module in [module for module in set(sys.modules) - known if (tmp_path / f"{module}.py").exists()]:
        del sys.modules[module]


def test_a_page_names_targets_of_make_that_there_are(root):
    targets = set(re.findall(r"^([\w-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = [
        word
        for path in (root / "docs").glob("*.md")
        for _, text in blocks(path.read_text(), "sh", "console")
        for word in re.findall(r"^(?:\$ )?make ([\w-]+)", text, re.MULTILINE)
    ]
    assert len(named) >= 5
    assert set(named) <= targets


def test_the_settings_of_the_full_profile_are_those_that_the_page_explains(root):
    page = (root / "docs/examples.md").read_text().split("## ViT-B/32 on Flickr30K")[1]
    told = dict(re.findall(r"^\| `([\w.]+)` \| (\S+) \|", page, re.MULTILINE))
    profile = YAML(typ="safe").load(root / "profiles/full.yaml")
    [grid] = profile["select"]["grids"]["eqsim"]
    values = profile["finetune"] | {key: value for key, [value] in grid.items()}
    values |= {"pretrain.init": profile["pretrain"]["init"]}
    assert len(told) >= 8
    assert told == {key: f"{values[key]:f}".rstrip("0") if key == "lr" else str(values[key]) for key in told}


def test_the_navigation_names_every_page_and_links_lead_to_files(root):
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in pages(part)]

    named = pages(YAML(typ="safe").load(root / "mkdocs.yml")["nav"])
    there = {path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")}
    assert sorted(named) == sorted(there | MADE)
    for path in (root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


class Page(HTMLParser):
    """What a page links to, what it fetches, and the places in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.places = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places |= {given[key] for key in ("id", "name") if given.get(key)}
        found = [given[key] for key in ("href", "src", "data") if given.get(key)]
        self.links += found
        self.fetched += [] if tag == "a" or given.get("rel") == "canonical" else found


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_no_link_of_it_is_broken(root, tmp_path):
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package, reason="`make site` installs what builds it")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=root, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert {site / "notebooks/30_finetune.html", site / "reports/index.html", site / "guide.html"} <= set(pages)
    broken, elsewhere = [], []
    for path, page in pages.items():
        elsewhere += [f"{path.name}: {link}" for link in page.fetched if urlsplit(link).netloc]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            start = site if parts.path.startswith("/") else path.parent
            aim = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            if not aim.is_file() or (parts.fragment and unquote(parts.fragment) not in pages[aim].places):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert elsewhere == []
    assert broken == []
    places = set().union(*(page.places for path, page in pages.items() if path.parent.name == "api"))
    for room in ("losses", "scoring", "suites"):
        module = import_module(f"eqlib.{room}")
        for name in module.__all__:
            if callable(made := getattr(module, name)):
                assert {f"eqlib.{room}.{name}", f"{made.__module__}.{name}"} & places, name
