"""What belongs to a release besides sdist and wheel: book, recorded tables, environment, notes, checksums.

python .ci/release.py FOLDER     (after "make book"; called by "make release")
"""

import hashlib
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def versions() -> dict[str, str]:
    """The version as each file says it."""

    def found(name, pattern):
        match = re.search(pattern, (ROOT / name).read_text("utf8"), re.M)
        return match[1] if match else "none"

    return {
        "humalign/__init__.py": found("humalign/__init__.py", r'^__version__ = "(.+)"'),
        "CITATION.cff": found("CITATION.cff", r"^version: (\S+)"),
        ".zenodo.json": found(".zenodo.json", r'"version": "(.+)"'),
        "CHANGELOG.md": found("CHANGELOG.md", r"^## (\d\S*)"),
    }


def notes(version: str) -> str:
    """The section of the changelog on this version."""
    text = (ROOT / "CHANGELOG.md").read_text("utf8")
    return re.search(rf"^## {re.escape(version)}\b.*?\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1].strip() + "\n"


def packed(folder: Path, out: Path, name: str) -> None:
    """A folder as NAME.tar.gz with one folder NAME inside."""
    with tarfile.open(out / f"{name}.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=name)


def main(out) -> int:
    """Write the files of a release into a folder; 2 where versions disagree or the book is not built."""
    out, said = Path(out), versions()
    if len(set(said.values())) > 1:
        print("versions disagree: " + ", ".join(f"{name} {version}" for name, version in said.items()), file=sys.stderr)
        return 2
    book = ROOT / "book/_build/html"
    if not (book / "index.html").is_file():
        print("book/_build/html: the book is not built; run make book", file=sys.stderr)
        return 2
    version = said["CITATION.cff"]
    packed(book, out, f"humalign-book-{version}")
    packed(ROOT / "humalign/recorded", out, f"humalign-recorded-{version}")
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True, check=True
    ).stdout
    (out / f"humalign-environment-{version}.txt").write_text(f"# Python {sys.version.split()[0]}\n{installed}", "utf8")
    (out / "NOTES.md").write_text(notes(version), "utf8")
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines), "utf8")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
