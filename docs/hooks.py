"""What `make site` adds to docs/: README, reports/ and its notebooks, the profiles' results, from where they lie; the
columns of docstrings. A link to a file that is not there ends the build.

mkdocs.yml names this file twice, as mkdocs' hooks and as mkdocstrings' extension ``Aligned``.
"""

import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from eqlib.study.report.fresh import mark
from eqlib.study.report.notebooks import Body, body, highlight_css, linked

ROOT = Path(__file__).resolve().parent.parent
BODIES: dict[str, Body] = {}
ALIGNED = re.compile(r"\S {3,}\S|^ *(>>>|==)", re.MULTILINE)
REPORT = """# Report and notebooks

The study's [report](reports/index.html), the same as [PDF](reports/report.pdf), and the
[items](reports/browser.html) behind its numbers. The notebooks below are shown as they ran for it, a stage each.

"""


def on_files(files, config):
    """README as guide.md, every file of reports/ and of the profiles' folders, a page for each executed notebook, and
    report.md with their list."""
    for path in _results("*"):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for path in sorted((ROOT / "reports/notebooks").glob("*.ipynb")):
        page = f"notebooks/{path.stem}.md"
        BODIES[page] = body(path, path.stem)
        files.append(File.generated(config, page, content=f"# {BODIES[page].title}\n"))
    listed = [f"- [{found.title}]({page}) {found.question}\n" for page, found in BODIES.items()]
    files.append(File.generated(config, "report.md", content=f"{REPORT}{mark(ROOT)[1]}\n\n{''.join(listed)}"))
    files.append(File.generated(config, "CITATION.cff", abs_src_path=str(ROOT / "CITATION.cff")))
    guide = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "guide.md", content=guide))
    files.append(File.generated(config, "notebooks.css", content=highlight_css()))
    config["extra_css"].append("notebooks.css")
    return files


def on_page_markdown(markdown, page, config, files):
    """Links that also work in the repository, where docs/ lies beside what this site takes in."""
    return markdown.replace("](../README.md", "](guide.md").replace("](../", "](")


def on_page_content(html, page, config, files):
    """A notebook's page is what the report shows of it, its headings two levels up again; links to other notebooks lead
    to their pages."""
    if (found := BODIES.get(page.file.src_uri)) is None:
        return html
    page.toc.items.clear()  # of the stub that stood here
    html = re.sub(r"(</?h)([3-6])\b", lambda tag: f"{tag[1]}{int(tag[2]) - 2}", found.html)
    return linked(html, {Path(page).stem: f"{Path(page).stem}.html" for page in BODIES})


def on_post_build(config):
    """The tables' Markdown, which the report offers, beside the pages that mkdocs made of it; then a look at all links,
    also those of pages that mkdocs did not make."""
    site = Path(config["site_dir"])
    for path in _results("*.md"):
        shutil.copy(path, site / path.relative_to(ROOT))
    dead = [
        f"{page.relative_to(site)}: {link}"
        for page in site.rglob("*.html")
        for link in re.findall(r"<[^>]+ (?:href|src)=[\"']?([^\"'#?> ]+)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|/", link) and not (page.parent / unquote(link)).exists()
    ]
    if dead:
        raise PluginError("links to files that are not there\n" + "\n".join(dead))


def _results(pattern):
    return sorted(
        path for top in ("reports", "profiles/*") for path in ROOT.glob(f"{top}/**/{pattern}") if path.is_file()
    )


class Aligned(griffe.Extension):
    """Paragraphs of a docstring whose words stand in columns are shown as they are."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            parts = re.split(r"\n\s*\n(?=\S)", obj.docstring.value)
            parts = [f"```text\n{part}\n```" if ALIGNED.search(part) else part for part in parts]
            obj.docstring.value = re.sub(r"::$", ":", "\n\n".join(parts), flags=re.MULTILINE)
