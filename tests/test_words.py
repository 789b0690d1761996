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


# ---- captions and exercises ------------------------------------------------------------------------------------------

NO_FINDING = re.compile(r"how to read|the same\b|spare\b|as \{|form of|key\b|legend|shown|\*\*[a-z]\*\*", re.I)
FINITE = re.compile(  # verbs that captions of this book open with; a list of nouns holds none of them
    r"\b(is|are|was|has|have|had|do|does|can|could|will|would|may|holds?|helps?|shows?|reach|reaches|stays?|comes?|"
    r"adds?|takes?|brings?|gives?|names?|finds?|gains?|loses?|costs?|falls?|rises?|lies?|grows?|differs?|agrees?|"
    r"matters?|makes?|mends?|bounds?|ends?|errs?|fails?|doubts?|prefers?|chooses?|orders?|sorts?|separates?|changes?|"
    r"transfers?|lifts?|tells?|depends?|shares?|needs?|puts?|asks?|follows?|classify|learns?|says|replicates?|arrange)\b"
)  # fmt: skip


def opening(caption: str) -> str:
    """What a caption says before its first full stop or colon; roles in braces count as a word."""
    text = re.sub(r"\{glue:\}`\w+_word`", "holds", " ".join(caption.split()))  # a verdict is a verb
    text = re.sub(r"\{(\w+):?\}`[^`]*`", r"<\1>", text)
    return re.split(r"[:.] ", text)[0]


def says_something(caption: str) -> bool:
    """Whether a caption opens with a statement: a sentence with a verb, and no key or list of what is drawn."""
    first = opening(caption)
    return not NO_FINDING.match(caption.strip()) and len(first.split()) > 2 and bool(FINITE.search(first))


def figures() -> list:
    found = []
    for path in sorted(ROOT.glob("notebooks/*.md")):
        text = path.read_text("utf8")
        block = r"    name: (fig-\S+)\n    caption: \|\n((?:      .*\n)+)  image:\n    alt: (.*)\n"
        parts = re.findall(block, text)
        assert len(parts) == text.count("\n    name: fig-"), f"a figure of {path.name} lacks caption or alt text"
        found += [pytest.param(caption, alt, id=name) for name, caption, alt in parts]
    return found


@pytest.mark.parametrize(("caption", "alt"), figures())
def test_a_caption_opens_with_what_the_figure_shows(caption, alt):
    assert says_something(caption), opening(caption)
    assert len(alt.split()) >= 8


def test_a_list_of_what_is_drawn_is_no_finding():
    for caption in (
        "Zero-shot odd-one-out accuracy, in the form of Fig. 2. **a** All networks are shown.",
        "Control. Accuracy for other observers against accuracy for the ordinary ones.",
        "How to read: points are networks.",
        "Spare: it is cosine distance between features.",
        "**a** is the accuracy of all networks.",
    ):
        assert not says_something(caption)
    assert says_something("Networks agree with people: accuracy, one point a network.")


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.md")), ids=name)
def test_every_page_ends_with_an_exercise_whose_solution_runs_with_it(path):
    text = path.read_text("utf8")
    assert text.count("} Exercise\n") == 1
    after = text.partition("} Exercise\n")[2]
    assert "The solution is folded below." in after
    assert ":tags: [hide-cell, solution]" in after
    if path.stem != "explore":
        assert text.index("## What was learned\n") < text.index("} Exercise\n")
