"""Getting data: resumable, checked downloads of what is open, and the adoption of files a reader already has."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import HumalignError, InputError, MissingData
from ..store import atomic_path, sha256, write_json
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
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def remote_size(url: str) -> int | None:
    """Bytes behind an address, when the server says so."""
    import requests

    with contextlib.suppress(requests.RequestException, ValueError):
        answer = requests.head(url, allow_redirects=True, timeout=TIMEOUT)
        if answer.ok and answer.headers.get("Content-Length"):
            return int(answer.headers["Content-Length"])
    return None


class Resuming:
    """A downloader for pooch that goes on where an interrupted download stopped.

    Bytes are kept in ``partial`` until the file is complete; a server that does not serve ranges starts anew.

    Parameters
    ----------
    partial : Path
    progress : bool
    """

    def __init__(self, partial: Path, progress: bool = True):
        self.partial, self.progress = Path(partial), progress
        self.resumed_from = 0

    def __call__(self, url, output_file, pooch):
        """Fetch ``url`` into ``output_file`` (called by pooch)."""
        import requests
        from tqdm import tqdm

        self.partial.parent.mkdir(parents=True, exist_ok=True)
        have = self.partial.stat().st_size if self.partial.is_file() else 0
        headers = (
            {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
        )
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if have and answer.status_code == 416:  # nothing is left to send
                complete = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if complete == str(have):
                    os.replace(self.partial, output_file)
                    return
                self.partial.unlink()
                return self(url, output_file, pooch)
            answer.raise_for_status()
            begun = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            self.resumed_from = have if begun else 0
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
        os.replace(self.partial, output_file)


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
        When the bytes differ from the known checksum (they are thrown away).
    HumalignError
        When no address answers (what came is kept for the next try).
    """
    import pooch
    import requests

    target = root / item.path
    partials = root / ".partial"
    name = PurePosixPath(item.url).name
    problems = []
    for url in (item.url, *item.mirrors):
        resuming = Resuming(partials / f"{name}.partial", progress)
        try:
            with tempfile.TemporaryDirectory(dir=_made(partials)) as scratch:
                pooch.get_logger().setLevel("ERROR")
                got = Path(
                    pooch.retrieve(url, known_hash=item.checksum or None, fname=name, path=scratch, downloader=resuming)
                )
                resuming.partial.unlink(missing_ok=True)
                if item.unpack:
                    unpack(got, target)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(got, target)
                return target
        except ValueError as error:  # pooch: another checksum
            if "hash" not in str(error).lower():
                raise
            resuming.partial.unlink(missing_ok=True)
            problems.append(
                InputError(
                    "differs from the known checksum", url, "nothing was kept: try again, or import a copy you trust"
                )
            )
        except (requests.RequestException, OSError) as error:
            problems.append(
                HumalignError(f"{url}: cannot be fetched ({_short(error)}); try again to go on where it stopped")
            )
        finally:
            with contextlib.suppress(OSError):
                partials.rmdir()
    raise problems[-1]


def _short(error) -> str:
    return " ".join(str(error).split())[:200]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar or zip archive into ``target``: first beside it, then moved in; paths cannot leave it.

    Raises
    ------
    InputError
        For a damaged archive, or one that points outside.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".unpack-") as scratch:
        try:
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as file:
                    file.extractall(scratch, filter="data")
            elif zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as file:
                    inside = Path(scratch).resolve()
                    for member in file.namelist():
                        if not (inside / member).resolve().is_relative_to(inside):
                            raise InputError(f"points outside ({member[:60]})", archive, "do not use this archive")
                    file.extractall(scratch)
            else:
                raise InputError("is neither a tar nor a zip archive", archive, "fetch it again")
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"cannot be unpacked ({_short(error)})", archive, "fetch it again") from None
        for item in Path(scratch).iterdir():
            _merge(item, target / item.name)


def _merge(source: Path, target: Path) -> None:
    if source.is_dir() and target.is_dir():
        for item in source.iterdir():
            _merge(item, target / item.name)
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(source, target)


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
    if one.needs:
        say(f"  needs: {one.needs}")
    if not one.missing(root):
        say("  is already here; 'humalign data verify' checks it")
        return True
    wanted = [item for item in open_downloads(one) if item.unpack or not (root / item.path).exists()]
    if wanted:
        sizes = [item.size or remote_size(item.url) for item in wanted]
        free = shutil.disk_usage(root).free
        for item, size in zip(wanted, sizes):
            say(f"  {item.url} ({human(size)}) -> {root / item.path}")
        known = sum(size or 0 for size in sizes)
        # archives are on the disk twice while they are unpacked
        need = sum((size or 0) * (2 if item.unpack else 1) for item, size in zip(wanted, sizes))
        more = " or more" if None in sizes else ""
        say(f"  to download {human(known)}{more}; needed {human(need)}, free {human(free)}")
        if need > free:
            raise HumalignError(
                f"{root}: {human(free)} are free, {human(need)} are needed; free some, or give another --data"
            )
        if closed := [one.files[key].path for key in one.closed if key in one.missing(root)]:
            say(f"  not among them, to be taken by hand: {', '.join(closed)}; 'humalign data where {one.name}'")
        if ask is not None and not ask("  download?"):
            say("  nothing was downloaded")
            return False
        for item in wanted:
            say(f"  got {download(item, root, progress)}")
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


# ---------------------------------------------------------------------------------------------- adopting files


def _key_for(one: registry.Entry, source: Path, key: str | None) -> str:
    if key is not None:
        if key not in one.files:
            raise InputError(
                f"{one.name} has no file called '{key}'", "data import", f"keys are {', '.join(one.files)}"
            )
        return key
    fitting = [
        k
        for k, f in one.files.items()
        if f.folder == source.is_dir() and source.name in {Path(n).name for n in (f.path, *f.also)}
    ]
    if not fitting:
        endings = {source.suffix}
        fitting = [
            k
            for k, f in one.files.items()
            if f.folder == source.is_dir()
            and not f.optional
            and not f.shared
            and (f.folder or {Path(n).suffix for n in (f.path, *f.also)} & endings)
        ]
    if len(fitting) != 1:
        names = "; ".join(f"{k} = {f.path}" for k, f in one.files.items())
        raise InputError(f"which file of {one.name} is it", source, f"say --key ({names})")
    return fitting[0]


def _target(file: registry.File, source: Path) -> str:
    """The registered place with the ending of the source (.npy or .txt of one data set)."""
    if not file.folder:
        for name in (file.path, *file.also):
            if Path(name).suffix == source.suffix:
                return name
        raise InputError(
            f"ends in '{source.suffix}'",
            source,
            f"expected {' or '.join(sorted({Path(n).suffix for n in (file.path, *file.also)}))}",
        )
    return file.path


def adopt(source, name: str, profile, *, key: str | None = None, link: bool = False, accept: bool = False) -> str:
    """Put a file or folder a reader has where the registry looks for it, and verify it.

    Parameters
    ----------
    source : path
    name : str
        The data set.
    profile : Profile
    key : str, optional
        Which of the data set's files; told by the file name where possible.
    link : bool
        Link instead of copying.
    accept : bool
        Accept another checksum than the known one: it is written into the folder's ``humalign-data.json``.

    Returns
    -------
    str
        A line saying what was done.

    Raises
    ------
    InputError
        When it is not what the registry expects; then nothing is changed.
    """
    one = registry.entry(name)
    source, root = Path(source).expanduser(), profile.data
    if root is None:
        raise MissingData("needs a data folder", name, "point HUMALIGN_DATA or --data at it")
    if not source.exists():
        raise InputError("does not exist", source, "check the path")
    key = _key_for(one, source, key)
    relative = _target(one.files[key], source)
    target = root / relative
    if target.exists() and target.samefile(source):
        raise InputError("lies there already", source, f"humalign data verify {name}")
    aside = None
    before = registry.manifest(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".replaced-")) / target.name
        os.replace(target, aside)
    try:
        _place(source, target, link)
        if accept and target.is_file():
            sums = {**before.get("sha256", {}), relative: sha256(target)}
            write_json(root / registry.MANIFEST, {**before, "sha256": sums})
        registry._digest.cache_clear()
        others = [k for k in one.missing(root) if k != key]
        if others:
            registry.check_known(target, root, one) if target.is_file() else None
            told = f"still missing: {', '.join(one.files[k].path for k in others)}"
        else:
            report = verify_one(one, profile)
            if report.problems:
                more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
                raise InputError(report.problems[0] + more, None, None)
            told = ", ".join(f"{v} {k}" for k, v in report.facts.items() if isinstance(v, int)) or "verified"
    except BaseException:
        _remove(target)
        if aside is not None:
            os.replace(aside, target)
        if accept:
            write_json(root / registry.MANIFEST, before) if before else (root / registry.MANIFEST).unlink(
                missing_ok=True
            )
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside.parent, ignore_errors=True)
    return f"{source} -> {target} ({'linked' if link else 'copied'}; {told})"


def _place(source: Path, target: Path, link: bool) -> None:
    if link:
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
    elif source.is_dir():
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        try:
            shutil.copytree(source, scratch / target.name)
            os.replace(scratch / target.name, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    else:
        with atomic_path(target) as partial:
            shutil.copyfile(source, partial)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
