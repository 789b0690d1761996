"""Do two builds of the book say the same? Compares the text of every page, word by word.

python .ci/same_text.py book/_build/html book/_build/sphinx
"""

import difflib
import sys
from pathlib import Path

from bs4 import BeautifulSoup

NOT_TEXT = ["script", "style", "mjx-container", "a.headerlink", "button"]


def words(path):
    """Words of the article of a page."""
    article = BeautifulSoup(path.read_text("utf8"), "html.parser").find("article")
    for formula in article.select(".math") if article else ():
        formula.string = "".join(formula.get_text().split())  # spaces in a formula are not seen
    for part in article.select(", ".join(NOT_TEXT)) if article else ():
        part.decompose()
    return article.get_text(" ").split() if article else []


def main(one, other):
    """Print what differs; the number of pages that do."""
    pages = [{p.relative_to(d).as_posix(): p for p in sorted(Path(d).rglob("*.html"))} for d in (one, other)]
    differ = 0
    for name in sorted(pages[0].keys() | pages[1].keys()):
        if name in ("genindex.html", "search.html") or name.startswith("_"):
            continue
        if missing := [d for d, found in zip((one, other), pages) if name not in found]:
            print(f"{name}: not in {missing[0]}")
            differ += 1
            continue
        a, b = (words(found[name]) for found in pages)
        if a == b:
            continue
        differ += 1
        blocks = [o for o in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if o[0] != "equal"]
        print(f"{name}: {len(a)} and {len(b)} words, {len(blocks)} places differ")
        for _, i, j, k, l in blocks[:5]:
            print(f"  {' '.join(a[i:j])[:110]!r} | {' '.join(b[k:l])[:110]!r}")
    print(f"{differ} of {len(pages[0].keys() | pages[1].keys())} pages differ")
    return differ


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
