"""Sphinx extension: runs stale notebooks before the pages are read, keeps equations offline, links to sources.

Listed under ``sphinx.extra_extensions`` in ``_config.yml``, so that the plain ``jupyter-book build book/`` is enough.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ..errors import HumalignError
from ..store import write_text
from .pages import inline, one_line
from .run import plan, run_all, why_stale

log = logging.getLogger(__name__)


def run_notebooks(app) -> None:
    """Run what is out of date; end the build with the error of the failed cell as the last lines."""
    out = Path(app.srcdir, app.config.humalign_output_dir)
    try:
        runs = plan(Path(app.srcdir, app.config.humalign_source_dir).resolve(), out, app.config.humalign_parameters)
        wanted = os.environ.get("HUMALIGN_ONLY", "").replace(",", " ").split()
        for orphan in {*out.glob("*.ipynb")} - {run.target for run in runs}:
            orphan.unlink()
        runs = [run for run in runs if _in_toc(app, run)]
        if wanted:
            runs = [run for run in runs if run.source.stem in wanted]
        reasons = {run: reason for run in runs if (reason := why_stale(run))}
        log.info("running notebooks: %d of %d out of date", len(reasons), len(runs))
        for run, reason in reasons.items():
            log.info("running notebooks: %s: %s", run.source.name, reason)
        _, failures = run_all(
            list(reasons),
            spec=app.config.humalign_executor,
            workers=app.config.humalign_jobs,
            timeout=app.config.humalign_timeout,
            say=lambda line: log.info("running notebooks: %s", line),
        )
    except HumalignError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from None
    if failures:
        log.error("%s", "\n\n".join(failures.values()))
        raise SystemExit(1)  # another exception would bury the message under two tracebacks of Jupyter Book


def _in_toc(app, run) -> bool:
    """Whether the table of contents holds the page of this run."""
    toc = Path(app.srcdir, app.config.external_toc_path if "external_toc_path" in app.config else "_toc.yml")
    text = toc.read_text("utf8") if toc.is_file() else ""
    page = f"{app.config.humalign_output_dir}/{run.source.stem}"
    return bool(re.search(rf"^[^#]*\b{re.escape(page)}(\.\w+)?\s*$", text, re.M))


def repository_url(default: str) -> str:
    """The GitHub address of this clone: of the running action, of the remote, else what ``_config.yml`` says."""
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return f"https://github.com/{name}"
    try:
        remote = subprocess.run(
            ["git", "remote", "get-url", "origin"], capture_output=True, text=True, timeout=5, cwd=Path(__file__).parent
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        remote = ""
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", remote)
    return f"https://github.com/{match[1]}" if match else default


def prepare(_app, config) -> None:
    """Equations from a local MathJax; links to the repository this clone belongs to; what autodoc may do without."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    config.html_static_path.append(str(Path(__file__).parents[1] / "plots" / "static"))
    # signatures are read without the heavy packages where only pages are built
    heavy = ("torch", "torchvision", "timm", "open_clip", "sklearn", "matplotlib", "seaborn")
    config.autodoc_mock_imports = [name for name in heavy if importlib.util.find_spec(name) is None]
    if name := os.environ.get("GITHUB_REPOSITORY"):  # Pages serves a project under its name
        config.notfound_urls_prefix = f"/{name.partition('/')[2]}/"
    if config.html_theme_options.get("repository_url"):
        config.html_theme_options["repository_url"] = repository_url(config.html_theme_options["repository_url"])


def link_to_source(app, pagename, _templatename, context, _doctree) -> None:
    """Point the buttons of a run notebook at its source, which is what the repository holds."""
    source = Path(app.srcdir, app.config.humalign_source_dir, Path(pagename).name + ".md")
    generated = pagename.startswith(app.config.humalign_output_dir + "/") and source.is_file()
    app.config.html_theme_options["path_to_docs"] = context["doc_path"] = "" if generated else "book"
    if generated:
        context["page_source_suffix"] = ".md"


def launch_the_text(_app, _pagename, _templatename, context, _doctree) -> None:
    """Binder opens the text notebook (jupytext), since executed notebooks are not part of the repository."""
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if "mybinder" in str(button.get("url", "")):
                button["url"] = button["url"].replace(".ipynb", ".md")


def finish(app, _pagename, _templatename, context, _doctree) -> None:
    """Figures become part of the page; one line of provenance replaces a label at every number."""
    if context.get("body"):
        places = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}
        folder = Path(app.srcdir, app.config.humalign_output_dir, "data")
        narrow = lambda label: folder / f"{label}.narrow.svg"  # noqa: E731
        context["body"] = inline(one_line(context["body"]), places.get, narrow)
    context["script_files"] = list(_once(context.get("script_files", ())))


def _once(scripts):
    """Scripts without repetitions (a constant declared twice is an error), and without Thebe, which no page starts."""
    seen = set()
    for script in scripts:
        attributes = getattr(script, "attributes", {})
        key = (str(getattr(script, "filename", script)), attributes.get("body", ""))
        if key not in seen and "thebe" not in "".join(key).lower():
            yield script
        seen.add(key)


def drop_inlined(app, exception) -> None:
    """Remove the files of figures that became part of their pages."""
    if exception or app.builder.format != "html":
        return
    texts = "".join(page.read_text("utf8") for page in Path(app.outdir).rglob("*.html"))
    for image in Path(app.outdir, "_images").glob("*.svg"):
        if f"_images/{image.name}" not in texts:
            image.unlink()


def copy_mathjax(app, exception) -> None:
    """Equations without a network: the 1.5 MB of MathJax that pages load, from the pinned package."""
    if exception or app.builder.format != "html":
        return
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static/mathjax")
    for name in ("tex-chtml.js", "output/chtml/fonts"):
        source, target = package / name, Path(app.outdir, "_static/mathjax", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def copy_vega(app, exception) -> None:
    """What scatters to explore load, once for all pages, from the pinned package."""
    if exception or app.builder.format != "html":
        return
    from ..plots import explorer

    write_text(Path(app.outdir, "_static/vega/vega.js"), explorer.bundle())


def missing_page(app, exception) -> None:
    """Let the page for unknown addresses work at any depth of a server, and when it is opened as a file."""
    page = Path(app.outdir, "404.html")
    if exception or app.builder.format != "html" or not page.is_file():
        return
    prefix = app.config.notfound_urls_prefix
    base = f"<script>if (location.protocol !== 'file:') document.write('<base href=\"{prefix}\">');</script>"
    text = page.read_text("utf8")
    if base not in text:
        text = re.sub(rf'(href|src)="{re.escape(prefix)}(?!/)', r'\1="', text)
        page.write_text(text.replace("<head>", f"<head>\n    {base}", 1), "utf8")


class DataTable(SphinxDirective):
    """``{humalign-data} PROFILE``: the data sets of a profile as a table, from the registry."""

    required_arguments = 1
    heads: ClassVar = {
        "data": "data set",
        "what": "what it is",
        "size": "size",
        "source": "source",
        "licence": "licence",
        "by_hand": "by hand",
    }

    def run(self):
        """The table as docutils nodes."""
        from ..data import describe

        for path in Path(describe.__file__).parent.glob("*.py"):
            self.env.note_dependency(str(path))
        rows = describe.families(self.arguments[0])
        table = nodes.table(classes=["colwidths-auto"])
        group = nodes.tgroup(cols=len(self.heads))
        group += [nodes.colspec(colwidth=1) for _ in self.heads]
        group += nodes.thead("", self.row(self.heads))
        group += nodes.tbody("", *[self.row(row) for row in rows])
        table += group
        return [table]

    def row(self, cells: dict):
        """One row; names of data sets as code, addresses as links."""
        return nodes.row("", *[nodes.entry("", nodes.paragraph("", "", *self.cell(k, cells[k]))) for k in self.heads])

    def cell(self, key: str, text: str) -> list:
        """The content of one cell."""
        if key == "data" and text != self.heads[key]:
            name, _, rest = text.partition(" ")
            return [nodes.literal("", name), nodes.Text(f" {rest}" if rest else "")]
        link, _, rest = text.partition(" ")
        if key == "source" and link.startswith("https://"):
            shown = link.removeprefix("https://").rstrip("/")
            return [nodes.reference("", shown, refuri=link), nodes.Text(f" {rest}" if rest else "")]
        return [nodes.Text(text)]


class Play(SphinxDirective):
    """``{humalign-play}``: the odd-one-out game, from the best data there are (:mod:`humalign.play.book`)."""

    def show(self, game, sources) -> str:
        """The game as HTML."""
        from ..play import fragment

        return fragment(game, sources)

    def run(self):
        """HTML; its pictures lie in ``_static/play`` of the built book."""
        from ..play import write_thumbnails
        from ..play.book import front_page, made_from

        self.env.humalign_games = {**games(self.env), self.env.docname: made_from()}
        if self.env.app.builder.format != "html":
            return []
        folder = Path(self.env.app.outdir, "_static", "play")
        try:
            game = front_page()
        except HumalignError as error:
            raise self.error(str(error)) from None
        sources = write_thumbnails(game, folder, "../" * self.env.docname.count("/") + "_static/play/")
        return [nodes.raw("", self.show(game, sources), format="html")]


class Browse(Play):
    """``{humalign-triplets}``: the questions of the game with everybody's answers, sorted by disagreement."""

    def show(self, game, sources) -> str:
        """The list as HTML."""
        from ..play.browse import triplets

        return triplets(game, sources)


def games(env) -> dict[str, str]:
    """Pages with a game, and what each was made from when it was read."""
    return getattr(env, "humalign_games", {})


def changed_games(app, env, _added, _changed, _removed) -> list[str]:
    """Pages whose game has to be made again, as its data changed or its pictures are gone."""
    from ..play.book import made_from

    if not games(env) or app.builder.format != "html":
        return []
    now = made_from() if Path(app.outdir, "_static", "play").is_dir() else None
    return [page for page, known in games(env).items() if known != now]


def merge_games(_app, env, docnames, other) -> None:
    """Take over what another process read."""
    env.humalign_games = {**games(env), **{page: games(other)[page] for page in docnames if page in games(other)}}


def setup(app):
    """Called by Sphinx."""
    app.add_directive("humalign-data", DataTable)
    app.add_directive("humalign-play", Play)
    app.add_directive("humalign-triplets", Browse)
    app.add_js_file("tables.js")
    app.add_css_file("tables.css")
    app.add_config_value("humalign_source_dir", "../notebooks", "")
    app.add_config_value("humalign_output_dir", "notebooks", "")
    app.add_config_value("humalign_parameters", {}, "")
    app.add_config_value("humalign_executor", "processes", "")
    app.add_config_value("humalign_jobs", 0, "")
    app.add_config_value("humalign_timeout", 3600, "")
    app.connect("config-inited", prepare)
    app.connect("builder-inited", run_notebooks)
    app.connect("env-get-outdated", changed_games)
    app.connect("env-merge-info", merge_games)
    app.connect("html-page-context", link_to_source, priority=400)
    app.connect("html-page-context", launch_the_text, priority=900)
    app.connect("html-page-context", finish, priority=950)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", copy_vega)
    app.connect("build-finished", drop_inlined)
    app.connect("build-finished", missing_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
