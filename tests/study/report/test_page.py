"""The report: whole, self-contained, the same bytes twice; every number in it is in the tables."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from drawn import FIGURES
from PIL import Image

from eqlib.files import write_json
from eqlib.study.report import build, render
from eqlib.study.report.content import gather
from eqlib.study.report.notebooks import body
from eqlib.study.report.tables import tables
from eqlib.study.report.typeset import publish, write

PARAMS = """
study:
  methods: [contrastive, eqsim]
  baseline: contrastive
  seeds: [0, 1, 2]
  starts: [0]
data:
  data_root: {root}
  captions: captions/dataset.json
  splits: {{train: train}}
  suites:
    test: {{reader: quads, path: quads/test.json}}
  validation: val
"""


def notebook(path: Path, title: str) -> Path:
    """An executed notebook with a table, a printed line and markup that must not run."""
    text = f"# {title}\n\n**Question.** Does it\nhold?\n\n**Caveats.** None."
    output = nbformat.v4.new_output("execute_result", {"text/html": "<table><tr><td>7</td></tr></table>"})
    cells = [
        nbformat.v4.new_markdown_cell(text, id="title"),
        nbformat.v4.new_code_cell("1 + 6", id="code", execution_count=2, outputs=[output]),
        nbformat.v4.new_code_cell("", id="empty", execution_count=None),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def stages(folder, study, tmp_path_factory) -> Path:
    """A build/ folder as the stages leave it, with params.yaml and notebooks/ beside it."""
    root = tmp_path_factory.mktemp("stages")
    shutil.copytree(folder, root / "build")
    for name in ("main_result", "forest", "motivation"):
        publish(*FIGURES[name](study), root / "build" / "figures" / "figures")
    for table in tables(study):
        write(table, root / "build" / "figures" / "tables")
    notebook(root / "build" / "compare" / "notebook.ipynb", "Compare: is it real?")
    notebook(root / "build" / "finetune" / "eqsim-0" / "notebook.ipynb", "Fine-tune")
    notebook(root / "build" / "by_hand" / "notebook.ipynb", "Four numbers")
    for name in ("05_eqsim_by_hand", "30_finetune", "50_compare", "60_figures"):
        notebook(root / "notebooks" / f"{name}.ipynb", name)
    (root / "params.yaml").write_text(PARAMS.format(root=root / "build" / "data"))
    return root


def make(stages: Path, output: Path) -> int:
    arguments = {"build": "build", "notebooks": "notebooks", "params": "params.yaml"}
    given = [part for name, value in arguments.items() for part in (f"--{name}", str(stages / value))]
    return build.main([*given, "--output", str(output)])


@pytest.fixture(scope="module")
def report(root, stages, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("report") / "reports"
    assert make(stages, output) == 0
    (output.parent / "profiles").symlink_to(root / "profiles")  # the page names longer runs that lie beside it
    return output


class Page(HTMLParser):
    """Ids, addresses, and headings of a page; raises on a tag that is closed out of turn."""

    VOID = frozenset(["meta", "link", "img", "br", "input", "hr", "path"])

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.addresses, self.stack, self.images = [], [], [], []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.addresses += [given[name] for name in ("href", "src", "srcset", "action") if given.get(name)]
        if tag == "img":
            self.images.append(given)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.stack.pop() == tag


@pytest.mark.parametrize("name", ["index.html", "browser.html"])
def test_asks_nothing_of_the_network(report, name):
    text = (report / name).read_text()
    page = Page(text)
    assert not [address for address in page.addresses if re.match(r"(https?:)?//", address)]
    assert "@import" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    for address in page.addresses:
        if not address.startswith(("data:", "#")):
            assert (report / address.partition("#")[0]).is_file(), address


def test_ids_are_unique_and_links_inside_the_page_arrive(report):
    page = Page((report / "index.html").read_text())
    assert len(page.ids) == len(set(page.ids))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)


def test_every_picture_has_words_for_those_who_cannot_see_it(report):
    page = Page((report / "index.html").read_text())
    figures = [image for image in page.images if image.get("class") in ("chart", "photo")]
    assert len(figures) == 3
    assert all(len(image["alt"]) > 20 for image in figures)


def test_twice_the_same_bytes(stages, report, tmp_path):
    assert make(stages, tmp_path / "reports") == 0
    files = [path.relative_to(report) for path in sorted(report.rglob("*")) if path.is_file()]
    assert files == [
        p.relative_to(tmp_path / "reports") for p in sorted((tmp_path / "reports").rglob("*")) if p.is_file()
    ]
    assert all((report / name).read_bytes() == (tmp_path / "reports" / name).read_bytes() for name in files)


def test_what_is_written(report):
    assert sorted(path.name for path in report.iterdir()) == sorted(
        ["index.html", "report.pdf", "browser.html", "figures", "tables", "notebooks"]
        + [f"{name}.json" for name in ("metrics", "headline", "provenance")]
    )
    assert sorted(path.name for path in (report / "figures").iterdir()) == sorted(
        f"{name}.{kind}" for name in ("main_result", "forest", "motivation") for kind in ("pdf", "png")
    )
    assert sorted(path.name for path in (report / "notebooks").iterdir()) == [
        "05_eqsim_by_hand.ipynb",
        "30_finetune.ipynb",
        "50_compare.ipynb",
    ]
    assert (report / "index.html").stat().st_size < 6_000_000
    assert (report / "browser.html").stat().st_size < 6_000_000


def test_metrics_are_percent_of_the_summary(report, study):
    metrics = json.loads((report / "metrics.json").read_text())
    point = study.summary.query("method == 'eqsim' and subset == 'micro' and score == 'group'")["point"].item()
    assert metrics["test"]["eqsim"]["group"] == round(100 * point, 2)
    assert set(metrics["test"]) == {"pretrained", "contrastive", "eqsim"}


def test_a_longer_run_of_another_profile_is_quoted_and_linked(report, stages, study, tmp_path):
    """The headline that this report left, as that of six pipelines: quoted by a shorter run, not by one as long."""
    left = json.loads((report / "headline.json").read_text())
    row = study.differences.query(
        "method == 'eqsim' and baseline == 'contrastive' and subset == 'micro' and score == 'group'"
    ).iloc[0]
    assert [(of["method"], of["point"]) for of in left["contrasts"]] == [("eqsim", pytest.approx(row["point"]))]
    assert (left["seeds"], left["starts"], left["quads"]) == (3, 1, 120)
    longer = left | {"starts": 6, "seeds_in_words": "6 seeds (pretraining included)"}
    longer["contrasts"] = [{"method": "eqsim", "point": 0.02, "low": 0.01, "high": 0.03, "p_holm": 0.01, "level": 0.95}]
    write_json(tmp_path / "long" / "headline.json", longer)
    write_json(tmp_path / "same" / "headline.json", left)
    content = gather(study, stages / "build", facts={}, parameters="", profiles=tmp_path)
    [found] = content.elsewhere
    assert found["file"] == "long/headline.json"
    assert found["text"] == (
        "The profile long made the same comparison with 6 seeds (pretraining included) on 120 quads of test: group "
        "score against contrastive EqSim +2.0 [+1.0, +3.0] percentage points."
    )
    text = render.html(content, stages / "build", notebooks=[])
    assert f'{found["text"]} <a href="../profiles/long/headline.json">' in text


def test_the_page_says_what_it_was_made_from(report, stages):
    text = (report / "index.html").read_text()
    facts = json.loads((report / "provenance.json").read_text())
    for name in ("git tree of eqlib", "git tree of notebooks", "git blob of params.yaml"):
        assert f"{name}</th><td><code>{facts[name]}</code>" in text
    assert "summary.csv" in text
    assert "validation: val" in text
    assert str(stages.parent) not in text.replace(str(stages / "build" / "data"), "")


def test_a_notebook_becomes_prose_folded_code_and_results(tmp_path):
    made = body(notebook(tmp_path / "n.ipynb", "Fit & compare"), "n")
    assert (made.title, made.question) == ("Fit & compare", "Does it hold?")
    assert made.html.count("<details") == 1  # the empty cell has no fold
    assert "<td>7</td>" in made.html
    assert "<h1" not in made.html
    assert re.findall(r'id="([^"]*)"', made.html) == ["code-n-code", "code-n-empty"]
    assert "In&nbsp;[" not in made.html


def test_missing_input_is_one_line_and_no_report(stages, tmp_path, capsys):
    shutil.copytree(stages, tmp_path / "stages")
    (tmp_path / "stages" / "build" / "compare" / "summary.csv").unlink()
    assert make(tmp_path / "stages", tmp_path / "reports") == 1
    message = capsys.readouterr().err
    assert "summary.csv" in message
    assert message.count("\n") == 1
    assert not (tmp_path / "reports").exists()


def test_figures_come_in_the_order_of_the_catalogue(report):
    text = (report / "index.html").read_text()
    places = [text.find(f'id="figure-{name}"') for name in FIGURES if name in ("main_result", "forest", "motivation")]
    assert places == sorted(places)
    assert min(places) > 0


def test_a_chapter_of_another_notebook_comes_with_its_findings(stages, study, tmp_path):
    """A figure, a table and sentences that another stage left: under a heading of their own, before the study's, in the
    page and in the PDF."""
    shutil.copytree(stages, tmp_path / "stages")
    left = tmp_path / "stages" / "build" / "released"
    axes, said = FIGURES["retrieval"](study)
    publish(axes, replace(said, name="systems"), left / "figures")
    write(replace(tables(study)[0], name="systems"), left / "tables")
    write_json(left / "findings.json", ["Models differ & some <do not>."])
    assert make(tmp_path / "stages", tmp_path / "reports") == 0
    text = (tmp_path / "reports" / "index.html").read_text()
    assert text.count("<h3>Released models</h3>") == 2
    assert text.index("<h3>Released models") < text.index("Models differ &amp; some &lt;do not&gt;.")
    assert text.index("Models differ") < text.index('id="figure-systems"') < text.index("<h3>The study on its own data")
    assert text.index('id="table-systems"') < text.index('id="table-main"')
    assert (tmp_path / "reports" / "figures" / "systems.pdf").is_file()
    assert (tmp_path / "reports" / "tables" / "systems.tex").is_file()
    content = gather(study, tmp_path / "stages" / "build", facts={}, parameters="")
    assert (content.figures[0]["name"], content.figures[0]["chapter"]) == ("systems", "Released models")
    assert "Models differ" in json.dumps(render.query(content, tmp_path / "stages" / "build", "par"))
    headings = [element["body"] for element in render.query(content, tmp_path / "stages" / "build", "heading")]
    assert sum("Released models" in json.dumps(body) for body in headings) == 2


def test_two_figures_of_one_name_are_an_error(stages, study, tmp_path, capsys):
    shutil.copytree(stages, tmp_path / "stages")
    publish(*FIGURES["forest"](study), tmp_path / "stages" / "build" / "released" / "figures")
    assert make(tmp_path / "stages", tmp_path / "reports") == 1
    assert "figures hold 'forest' already" in capsys.readouterr().err


def test_formulas_need_no_script(tmp_path):
    path = notebook(tmp_path / "n.ipynb", "Fit")
    read = nbformat.read(path, as_version=4)
    read.cells[1].outputs[0]["data"] = {"text/latex": r"$\sqrt{2}$"}
    text = r"Inline $a = s_{00} < 1$ and" + "\n\n$$\\sum_i b_i$$\n\nand `$HOME`, and broken $<b^$.\n\n"
    read.cells.append(nbformat.v4.new_markdown_cell(text + r"\begin{align}I &> a\end{align}", id="math"))
    nbformat.write(read, path)
    made = body(path, "n").html
    assert made.count("<math") == 4
    assert made.count("<msub>") == 2
    assert made.count('display="block"') == 2
    assert "<msqrt>" in made
    assert "<code>$HOME</code>" in made
    assert "<code>&lt;b^</code>" in made
    assert "xmlns" not in made


def test_a_figure_of_the_page_is_a_link_in_the_notebook(tmp_path):
    path = notebook(tmp_path / "n.ipynb", "Draw")
    read = nbformat.read(path, as_version=4)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "png")
    drawn = base64.b64encode(file.getvalue()).decode()
    outputs = [
        nbformat.v4.new_output("display_data", {"image/png": drawn}, metadata={"anchor": f"figure-{name}"})
        for name in ("forest", "elsewhere")
    ]
    read.cells[1].outputs = outputs
    nbformat.write(read, path)
    made = body(path, "n", {"figure-forest": "Figure 1. A & <b>"}).html
    assert '<a href="#figure-forest">Figure 1. A &amp; &lt;b&gt;</a>' in made
    assert made.count("<img") == 1
    assert 'alt="A picture of the notebook Draw"' in made


def test_a_figure_and_a_table_link_to_the_cell_that_made_them_and_numbers_to_their_table(report, stages, tmp_path):
    """The notebook of the figures drew one figure and one table here; of what no notebook shows nothing is claimed."""
    assert 'class="made"' not in (report / "index.html").read_text()
    shutil.copytree(stages, tmp_path / "stages")
    path = notebook(tmp_path / "stages" / "build" / "figures" / "notebook.ipynb", "Figures")
    read = nbformat.read(path, as_version=4)
    read.cells[1].outputs = [
        nbformat.v4.new_output("display_data", {"text/plain": "x"}, metadata={"anchor": anchor})
        for anchor in ("figure-forest", "table-main", "figure-not-in-the-report")
    ]
    nbformat.write(read, path)
    assert make(tmp_path / "stages", tmp_path / "reports") == 0
    text = (tmp_path / "reports" / "index.html").read_text()
    page = Page(text)
    tree = json.loads((tmp_path / "reports" / "provenance.json").read_text())["git tree of eqlib"]
    made = (
        '<span class="made">Made by <a href="#code-60_figures-code">60_figures, cell code</a>, '
        f'code <a href="#provenance"><code>{tree[:7]}</code></a></span></figcaption>'
    )
    assert text.count(made) == text.count('class="made"') == 2
    for anchor in ("figure-forest", "table-main"):
        inside = text[text.index(f'id="{anchor}"') :]
        assert made in inside[: inside.index("</figure>")]
    assert "code-60_figures-code" in page.ids
    number = re.findall(r'<figure class="table" id="table-(\w+)">', text).index("differences") + 1
    lead = text[text.index('<p class="lead">') :]
    assert f'<a class="file" href="#table-differences">Table {number}</a></p>' in lead[: lead.index("</p>") + 4]
    assert re.search(r'<dd class="evidence">[^<]*<a class="file" href="#table-differences">', text)
