"""Getting data: resumable, checked downloads of what is open; see :mod:`humalign.data.adopt` for files at hand."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import HumalignError, InputError, MissingData
from ..store import checksum, digest
from . import registry
from .describe import open_downloads
from .verify import verify_one

CHUNK = 1 << 15
TIMEOUT = 60


def human(size: int | None) -> str:
    """A number of bytes for people."""
    if size is None:
        return "size unknown"
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def remote_size(url: str) -> int | None:
    """Bytes behind an address, when the server says so."""
    import requests

    with contextlib.suppress(requests.RequestException, ValueError):
        answer = requests.head(url, allow_redirects=True, timeout=TIMEOUT)
        if answer.ok and answer.headers.get("Content-Length"):
            return int(answer.headers["Content-Length"])
    return None


class Resuming:
    """A download that goes on where an interrupted one stopped.

    Bytes are kept in ``partial`` until the file is complete. A server that does not serve ranges, or whose file is
    another one by now (its ETag or date, kept beside the bytes with the address), starts anew; so does another address
    where nothing (``checked``) would tell that its bytes are others.

    Parameters
    ----------
    partial : Path
    progress : bool
    checked : bool
        Whether a checksum of the file is known.
    """

    def __init__(self, partial: Path, progress: bool = True, checked: bool = False):
        self.partial, self.progress, self.checked = Path(partial), progress, checked
        self.mark = self.partial.with_name(f"{self.partial.name}.mark")
        self.resumed_from = 0

    def __call__(self, url, output_file):
        """Fetch ``url`` into ``output_file``."""
        import requests
        from tqdm import tqdm

        self.partial.parent.mkdir(parents=True, exist_ok=True)
        known = self.mark.read_text("utf8", errors="replace") if self.mark.is_file() else ""
        address, _, told = known.partition("\n")
        if address != url and not self.checked:
            self.forget()
        have = self.partial.stat().st_size if self.partial.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if address == url:  # a mirror goes on with the same bytes, although its tag is another
                headers["If-Range"] = told
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if have and answer.status_code == 416:  # nothing is left to send
                complete = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if complete == str(have):
                    self._done(output_file)
                    return
                self.forget()
                return self(url, output_file)
            answer.raise_for_status()
            begun = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            self.resumed_from = have if begun else 0
            if not begun:
                self.forget()  # first, so that the mark never stands beside other bytes
                self._remember(url, answer.headers)
            left = int(answer.headers.get("Content-Length") or 0)
            total = self.resumed_from + left if left else None
            with (
                open(self.partial, "ab" if begun else "wb") as file,
                tqdm(
                    total=total,
                    initial=self.resumed_from,
                    unit="B",
                    unit_scale=True,
                    desc=PurePosixPath(url).name,
                    disable=not self.progress,
                ) as bar,
            ):
                for block in answer.iter_content(CHUNK):
                    file.write(block)
                    bar.update(len(block))
        if total is not None and self.partial.stat().st_size != total:
            raise requests.ConnectionError(f"{self.partial.stat().st_size} of {total} bytes came")
        self._done(output_file)

    def _remember(self, url: str, headers) -> None:
        tag = headers.get("ETag", "")
        told = tag if tag.startswith('"') else headers.get("Last-Modified", "")  # a weak tag does not stand for bytes
        if told:
            self.mark.write_text(f"{url}\n{told}", "utf8")
        else:
            self.mark.unlink(missing_ok=True)

    def _done(self, output_file) -> None:
        os.replace(self.partial, output_file)
        self.forget()

    def forget(self) -> None:
        """Throw away what is kept."""
        for path in (self.partial, self.mark):
            path.unlink(missing_ok=True)


def partial_of(item: registry.Download, root: Path) -> Path:
    """Where the bytes of an unfinished download are kept: by address, since many files have the same name."""
    return root / ".partial" / f"{digest(item.url)}-{PurePosixPath(item.url).name}"


def download(item: registry.Download, root: Path, progress: bool = True) -> Path:
    """Fetch one open file into the data folder; archives are unpacked.

    Parameters
    ----------
    item : Download
    root : Path
        The data folder.
    progress : bool

    Returns
    -------
    Path
        The file, or the folder it was unpacked into.

    Raises
    ------
    InputError
        When the bytes differ from the known checksum (they are thrown away), or the address is, or sends on to, one
        that is not on the web.
    HumalignError
        When no address answers (what came is kept for the next try).
    """
    import requests

    target = root / item.path
    partial = partial_of(item, root)
    name = PurePosixPath(item.url).name
    problems = []
    for url in (item.url, *item.mirrors):
        resuming = Resuming(partial, progress, bool(item.checksum))
        try:
            if not url.startswith(("https://", "http://")):
                raise InputError("is no address on the web", url, "only http and https are fetched")
            with _emptied(partial.with_name(f"{partial.name}.came")) as scratch:
                got = scratch / name
                resuming(url, got)
                _same(got, item.checksum, url)
                if not item.unpack:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(got, target)
                    return target
                unpack(got, target)
                if item.inner:
                    inside = target / item.inner[0]
                    _same(inside, item.inner[1], f"{url} ({item.inner[0]})")
                    unpack(inside, target)
                    inside.unlink()
                return target
        except InputError as error:  # a mirror may have what was meant
            problems.append(error)
        except requests.exceptions.InvalidSchema:
            problems.append(
                InputError("sends on to what is no address on the web", url, "only http and https are fetched")
            )
        except (requests.RequestException, OSError) as error:
            problems.append(
                HumalignError(f"{url}: cannot be fetched ({_short(error)}); try again to go on where it stopped")
            )
        finally:
            with contextlib.suppress(OSError):
                partial.parent.rmdir()
    raise problems[-1]


def _same(path: Path, known: str, where: str) -> None:
    """InputError when a file that came has another checksum than the known one, "KIND:DIGEST" or ""."""
    kind, _, digits = known.partition(":")
    if known and not path.is_file():
        raise InputError("is not where it was expected", where, "the archive is packed otherwise by now")
    if known and checksum(path, kind) != digits:
        raise InputError(
            "differs from the known checksum", where, "nothing was kept: try again, or import a copy you trust"
        )


def _short(error) -> str:
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def _emptied(folder: Path):
    """An empty folder that goes afterwards; what a killed process left in it goes before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar or zip archive into ``target``: first beside it, then moved in; paths cannot leave it.

    Raises
    ------
    InputError
        For a damaged archive, or one that points outside.
    """
    with _emptied(target / f".unpack-{archive.name}") as scratch:
        try:
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as file:
                    file.extractall(scratch, filter="data")
            elif zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as file:
                    inside = scratch.resolve()
                    for member in file.namelist():
                        if not (inside / member).resolve().is_relative_to(inside):
                            raise InputError(f"points outside ({member[:60]})", archive, "do not use this archive")
                    file.extractall(scratch)
            else:
                raise InputError("is neither a tar nor a zip archive", archive, "fetch it again")
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"cannot be unpacked ({_short(error)})", archive, "fetch it again") from None
        for item in scratch.iterdir():
            _merge(item, target / item.name)


def _merge(source: Path, target: Path) -> None:
    if source.is_dir() and target.is_dir():
        for item in source.iterdir():
            _merge(item, target / item.name)
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(source, target)


def get(wanted, root: Path, ask=None, say=print, progress: bool = True, notes=()) -> bool:
    """Download files into a folder, after their sizes and the room were told.

    Parameters
    ----------
    wanted : sequence of Download
    root : Path
    ask, say, progress
        As for :func:`fetch`.
    notes : sequence of str
        Lines to be said before the question.

    Returns
    -------
    bool
        False when the answer was no.
    """
    sizes = [item.size or remote_size(item.url) for item in wanted]
    free = shutil.disk_usage(root).free
    for item, size in zip(wanted, sizes):
        say(f"  {item.url} ({human(size)}) -> {root / item.path}")
    known = sum(size or 0 for size in sizes)
    # archives are on the disk twice while they are unpacked; one after the other
    need = known + max((size or 0 for item, size in zip(wanted, sizes) if item.unpack), default=0)
    more = " or more" if None in sizes else ""
    say(f"  to download {human(known)}{more}; needed {human(need)}, free {human(free)}")
    if need > free:
        raise HumalignError(
            f"{root}: {human(free)} are free, {human(need)} are needed; free some, or give another --data"
        )
    for line in notes:
        say(f"  {line}")
    if ask is not None and not ask("  download?"):
        say("  nothing was downloaded")
        return False
    for item in wanted:
        say(f"  got {download(item, root, progress)}")
    return True


def fetch(name: str, profile, ask=None, say=print, progress: bool = True) -> bool:
    """Download what is open of a data set, or say exactly what to do.

    Licence and disk use are shown first.

    Parameters
    ----------
    name : str
    profile : Profile
        Its data folder is where files go.
    ask : callable, optional
        ``ask(question) -> bool`` before the download; None = go ahead.
    say : callable
        Where lines go.
    progress : bool

    Returns
    -------
    bool
        Whether the data set is complete afterwards.
    """
    one = registry.entry(name)
    root = profile.data
    if root is None:
        raise MissingData("needs a data folder to fetch into", name, "point HUMALIGN_DATA or --data at it")
    say(f"{one.name}: {one.title}")
    say(f"  licence: {one.licence}")
    if one.citation:
        say(f"  cite: {one.citation}")
    if one.access:
        say(f"  access: {one.access}")
    if not one.missing(root):
        say("  is already here; 'humalign data verify' checks it")
        return True
    here = {file.path for file in one.files.values() if file.find(root)}  # wherever it lies
    wanted = [
        item for item in open_downloads(one) if item.unpack or not (item.path in here or (root / item.path).is_file())
    ]
    if wanted:
        notes = []
        if closed := [one.files[key].path for key in one.closed if key in one.missing(root)]:
            notes = [f"not among them, to be taken by hand: {', '.join(closed)}; 'humalign data where {one.name}'"]
        if not get(wanted, root, ask, say, progress, notes):
            return False
    if gone := one.missing(root):
        say(f"  still missing: {', '.join(one.files[key].path for key in gone)}")
        steps = one.steps or (f"copy the files from {one.source}", f"humalign data import FILE --as {one.name}")
        for number, step in enumerate(steps, 1):
            say(f"  {number}. {step.replace('<data>', str(root))}")
        return False
    report = verify_one(one, profile)
    for line in report.problems:
        say(f"  {line}")
    say(f"  verified: {report.status}")
    return report.status == "ok"
