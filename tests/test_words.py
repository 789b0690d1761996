"""The words of the book: no riddles, and one spelling for each term, in pages, figures and messages."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORDS = {  # what is not written: what is
    r"of one mind": "agree",
    r"\b(?<!-)stands?\b(?! (for|in for|out|alone|still)\b)(?!-)": "is, lies, is written, see",
    r"\bat hand\b": "available, there, on this machine",
    r"\bone line an? (network|family|layer|student)": "one line for each network",
    r"(human|people's) ceiling|people's limit|limits? set by people": "noise ceiling",
    r"unseen concepts?": "held-out concepts",
    r"(drawn|simulated) people|drawn (persons?|observers?)": "simulated observers",
    r"groups? of training": "training group",
}
ALLOWED: dict[str, set[str]] = {}


def prose(path: Path) -> str:
    """What readers see of a file: a page without its code, but with the texts in it; the texts of a module."""
    text = path.read_text("utf8")
    if path.suffix == ".py":
        return "\n".join(_texts(text))
    if path.suffix != ".md":
        return text
    cells = re.findall(r"^```\{code-cell\}.*?^```$", text, re.S | re.M)
    for cell in cells:
        head, _, code = cell.partition("\n---\n") if "\n---\n" in cell[:60] else ("", "", cell)
        captions, _, code = code.partition("\n---\n") if head else ("", "", code)
        code = "\n".join(line for line in code.splitlines() if not line.startswith(("```", ":tags")))
        text = text.replace(cell, "\n".join([captions, *_texts(code), *re.findall(r"#\s.*", code)]))
    return re.sub(r"^(```|~~~)(bash|python|text|yaml|bibtex).*?^\1$", "", text, flags=re.S | re.M)


def _texts(code: str) -> list[str]:
    """The strings of Python code that hold a blank (sentences, not keys), without docstrings."""
    tree = ast.parse(code)
    docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [n.value for n in texts if " " in n.value and id(n) not in docs]


def files() -> list[Path]:
    found = [*ROOT.glob("notebooks/*.md"), *ROOT.glob("book/*.md"), ROOT / "README.md", *ROOT.glob("humalign/*.toml")]
    for folder in ("chapters", "plots", "play", "book", "commands"):
        found += ROOT.glob(f"humalign/{folder}/*.py")
    return sorted([*found, *ROOT.glob("humalign/report*.py"), *ROOT.glob("humalign/play/*.js")])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", files(), ids=name)
def test_words(path):
    text = " ".join(prose(path).split())
    found = {}
    for pattern, instead in WORDS.items():
        if hits := [text[max(0, m.start() - 40) : m.end() + 20] for m in re.finditer(pattern, text, re.I)]:
            found[pattern] = (instead, hits)
    allowed = ALLOWED.get(name(path), set())
    assert set(found) - allowed == set(), {key: found[key] for key in set(found) - allowed}
    assert allowed - set(found) == set(), "take these out of ALLOWED: they are gone"


def test_allowed_files_are_there():
    assert set(ALLOWED) <= {name(path) for path in files()}
