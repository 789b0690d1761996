"""The built book: no broken link, no failed cell, figures complete, nothing from the network."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "book" / "_build" / "html"

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the book is not built; run 'make book' first"),
]


def pages():
    """The pages written by people, and the index pages made from them."""
    return sorted(p for p in SITE.rglob("*.html") if "_static" not in p.parts)


_soups = {}


def soup(path):
    from bs4 import BeautifulSoup

    if path not in _soups:
        _soups[path] = BeautifulSoup(path.read_text("utf8"), "html.parser")
    return _soups[path]


def content(path):
    return soup(path).find("article") or soup(path)


def notebooks():
    return sorted((SITE / "notebooks").glob("*.html")) if (SITE / "notebooks").is_dir() else []


def name(path):
    return path.relative_to(SITE).as_posix()


def target_of(page, link):
    """File and anchor that a relative link of a page means; None for other hosts."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path)
    if path.startswith("/"):
        return SITE / path.lstrip("/"), unquote(parts.fragment)
    return ((page.parent / path).resolve() if path else page), unquote(parts.fragment)


@pytest.mark.parametrize("page", pages() if SITE.is_dir() else [], ids=name)
def test_links_and_anchors(page):
    broken = []
    for tag in soup(page).find_all(["a", "img", "link", "script", "source"]):
        link = tag.get("href") if tag.name in ("a", "link") else tag.get("src")
        if not link or link.startswith(("javascript:", "data:", "mailto:", "#!")) or link == "#":
            continue
        found = target_of(page, link)
        if found is None:
            continue
        file, anchor = found
        if file.is_dir():
            file = file / "index.html"
        if not file.is_file() or (anchor and file.suffix == ".html" and not soup(file).find(id=anchor)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", pages() if SITE.is_dir() else [], ids=name)
def test_nothing_is_loaded_from_another_host(page):
    loaded = []
    for tag in soup(page).find_all(["script", "img", "iframe", "source", "video", "audio", "embed", "object"]):
        loaded += [tag.get("src") or tag.get("data") or ""]
    for tag in soup(page).find_all("link"):
        if set(tag.get("rel", [])) & {
            "stylesheet",
            "preload",
            "icon",
            "preconnect",
            "prefetch",
            "modulepreload",
            "manifest",
        }:
            loaded.append(tag.get("href", ""))
    text = page.read_text("utf8")
    inline = re.findall(r"(?:import\s*\(?|from\s+|fetch\(|@import\s+(?:url\()?)\s*[\"'](https?://[^\"']+)", text)
    assert [link for link in loaded + inline if link.startswith(("http:", "https:", "//"))] == []


def test_style_sheets_load_nothing_from_another_host():
    found = []
    for path in SITE.rglob("*.css"):
        found += re.findall(
            r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text("utf8", errors="replace")
        )
    assert found == []


def test_equations_are_local():
    with_math = [page for page in pages() if soup(page).find(class_="math")]
    assert with_math, "no page has an equation"
    for page in with_math:
        scripts = [tag["src"] for tag in soup(page).find_all("script", src=True) if "mathjax" in tag["src"].lower()]
        assert scripts, name(page)
        assert all(target_of(page, link.partition("?")[0])[0].is_file() for link in scripts)
    assert list((SITE / "_static/mathjax/output/chtml/fonts").rglob("*.woff"))


@pytest.mark.parametrize("page", notebooks(), ids=name)
def test_no_failed_cell(page):
    assert not content(page).find(class_=re.compile(r"\b(traceback|error)\b"))
    source = SITE / "_sources" / f"notebooks/{page.stem}.ipynb"
    cells = json.loads(source.read_text("utf8"))["cells"]
    assert not [o for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert all(c["execution_count"] for c in code if "".join(c["source"]).strip())


@pytest.mark.parametrize("page", notebooks(), ids=name)
def test_executed_notebook_can_be_downloaded(page):
    links = [tag["href"] for tag in soup(page).find_all("a", href=True) if tag["href"].endswith(f"{page.stem}.ipynb")]
    assert links
    assert all(target_of(page, link)[0].is_file() for link in links if target_of(page, link))


@pytest.mark.parametrize("page", notebooks(), ids=name)
def test_launch_link_names_a_file_of_the_repository(page):
    links = [tag["href"] for tag in soup(page).find_all("a", href=True) if "mybinder.org" in tag["href"]]
    assert links
    for link in links:
        path = re.search(r"urlpath=lab/tree/(\S+)$", unquote(link))[1]
        assert (ROOT / path).is_file(), path
    assert not [tag for tag in soup(page).find_all("a", href=True) if "colab.research" in tag["href"]]


@pytest.mark.parametrize("page", pages() if SITE.is_dir() else [], ids=name)
def test_figures_are_complete(page):
    for figure in content(page).find_all("figure"):
        image = figure.find(["img", "svg"])
        assert image is not None, figure.get("id")
        alt = image.get("alt") or image.get("aria-label", "")
        assert len(alt.split()) >= 4, f"{figure.get('id')}: alt text is '{alt}'"
        caption = figure.find("figcaption")
        assert caption is not None, figure.get("id")
        assert caption.find(class_="caption-number"), figure.get("id")
        assert len(caption.get_text().split()) >= 6, figure.get("id")


@pytest.mark.parametrize("page", pages() if SITE.is_dir() else [], ids=name)
def test_images_have_alt_texts(page):
    missing = [
        tag.get("src")
        for tag in content(page).find_all("img")
        if not (tag.get("alt") or "").strip() or (tag.get("alt") or "").startswith(("../_images", "_images"))
    ]
    assert not missing


@pytest.mark.parametrize("page", notebooks(), ids=name)
def test_every_figure_offers_its_numbers(page):
    import pandas as pd

    for figure in content(page).find_all("figure"):
        links = [
            tag["href"] for tag in figure.find_all("a", class_="download", href=True) if tag["href"].endswith(".csv")
        ]
        assert links, f"{figure.get('id')} has no CSV"
        table = pd.read_csv(target_of(page, links[0])[0])
        assert len(table) > 0, figure.get("id")


@pytest.mark.parametrize("page", notebooks(), ids=name)
def test_every_figure_and_table_is_numbered_once(page):
    captions = [tag.get_text() for tag in content(page).find_all(class_="caption-number")]
    assert len(captions) == len(set(captions))


def test_missing_page():
    page = SITE / "404.html"
    assert page.is_file()
    assert "This page is not here" in content(page).get_text()


def test_pages_know_phones_and_both_modes():
    for page in pages():
        if page.name in ("genindex.html", "search.html", "404.html"):
            continue
        assert soup(page).find("meta", attrs={"name": "viewport"}), name(page)
        assert soup(page).find(class_=re.compile("theme-switch")), name(page)


def test_no_machine_path_in_the_pages():
    for page in pages():
        assert str(ROOT) not in page.read_text("utf8"), name(page)
