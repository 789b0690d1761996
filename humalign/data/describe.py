"""What the registry knows of a data set, for people and for programs, and what of it can be fetched."""

from __future__ import annotations

import re

from .entry_types import Download, Entry
from .known import published, published_checksum, sure
from .registry import entries

DOWNLOADED = ("url", "mirrors", "path", "unpack", "size", "checksum")
SURE = {"A": "seen in public code", "B": "as public code names it", "C": "inferred, may be another"}


def open_downloads(one: Entry) -> tuple[Download, ...]:
    """What of an entry can be fetched without a form."""
    single = [
        Download(
            file.url,
            file.path,
            file.mirrors,
            published_checksum(file.path),
            size=published().get(file.path, {}).get("size"),
        )
        for file in one.files.values()
        if file.url
    ]
    return (*one.downloads, *single)


def describe(one: Entry, profile) -> dict:
    """Everything there is to say of an entry, as plain values."""
    root = profile.data
    files = []
    for key, file in one.files.items():
        path = file.find(root) if root else None
        known = published().get(file.path, {})
        files.append(
            {
                "key": key,
                "path": file.path,
                "what": file.what,
                "optional": file.optional,
                "folder": file.folder,
                "url": file.url,
                "size": known.get("size"),
                "sha256": known.get("sha256"),
                "here": str(path) if path else None,
            }
        )
    told = ("name", "title", "kind", "source", "licence", "citation", "access", "size", "row_order", "expect", "likely")
    downloads = [
        {"sure": sure(item.url)} | {key: getattr(item, key) for key in DOWNLOADED} for item in open_downloads(one)
    ]
    return {
        **{key: getattr(one, key) for key in told},
        "profiles": list(one.profiles),
        "steps": list(one.steps),
        "files": files,
        "downloads": downloads,
    }


def describe_text(one: Entry, profile) -> str:
    """The same for people to read."""
    facts_ = describe(one, profile)
    lines = [f"{one.name}: {one.title}"]
    for key in ("kind", "source", "licence", "citation", "size", "access", "row_order"):
        if facts_[key]:
            lines.append(f"  {key.replace('_', ' '):<10} {facts_[key]}")
    lines.append(f"  {'profiles':<10} {', '.join(one.profiles)}")
    if one.expect:
        lines.append(f"  {'expected':<10} {', '.join(f'{v} {k}' for k, v in one.expect.items())}")
    if one.likely:
        told = ", ".join(f"{v} {k}" for k, v in one.likely.items())
        lines.append(f"  {'likely':<10} {told} (not confirmed by a source at hand)")
    for file in facts_["files"]:
        extra = ", optional" if file["optional"] else ""
        size = f", {file['size']} bytes" if file["size"] else ""
        lines.append(f"  {'file':<10} {file['path']} ({file['what']}{size}{extra})")
        lines.append(f"  {'':<10}   " + (f"here: {file['here']}" if file["here"] else "not here"))
        if file["sha256"]:
            lines.append(f"  {'':<10}   sha256 {file['sha256']}")
    for item in facts_["downloads"]:
        told = f" ({SURE[item['sure']]})" if item["sure"] else ""
        lines.append(f"  {'address':<10} {item['url']}{told}")
        lines += [f"  {'':<10}   or {mirror}" for mirror in item["mirrors"]]
    if open_downloads(one):
        lines.append(f"  {'to get it':<10} humalign data fetch {one.name}")
    for number, step in enumerate(one.steps, 1):
        lines.append(f"  {'to get it' if number == 1 else '':<10} {number}. {step}")
    if one.files and not one.steps and not open_downloads(one):
        lines.append(
            f"  {'to get it':<10} copy it from the source to the path above, or 'humalign data import FILE --as NAME'"
        )
    return "\n".join(lines)


def families(profile, least: int = 4) -> list[dict]:
    """The registry for readers: one row a data set; many alike under one name are one row.

    Parameters
    ----------
    profile : Profile or str
    least : int
        Data sets that make a family.

    Returns
    -------
    list of dict
        data (name, or the name of the family and how many), what, size, source, licence, by_hand; as text.
    """
    groups: dict[tuple, list[Entry]] = {}
    for one in entries(profile):
        key = (
            one.name.partition("/")[0],
            one.kind,
            one.source,
            one.licence,
            one.by_hand,
            one.size,
            _pattern(one.title),
        )
        groups.setdefault(key, []).append(one)
    rows = []
    for members in groups.values():
        many = len(members) >= least
        for one in members[:1] if many else members:
            name = f"{one.name.partition('/')[0]}/... ({len(members)} sets)" if many else one.name
            rows.append(
                {
                    "data": name,
                    "what": _common([m.title for m in members]) if many else one.title,
                    "size": one.size or "not stated",
                    "source": one.source,
                    "licence": one.licence,
                    "by_hand": one.by_hand or "nothing",
                }
            )
    return sorted(rows, key=lambda row: row["data"])


def _pattern(title: str) -> str:
    """The first two words of a title: members of a family share them."""
    return " ".join(title.split()[:2])


def _common(titles: list[str]) -> str:
    """What titles begin with, up to a whole word, and dots for the rest."""
    words = [re.findall(r"\S+", title) for title in titles]
    same = 0
    while all(len(w) > same and w[same] == words[0][same] for w in words):
        same += 1
    return " ".join(words[0][:same]).rstrip(",:") + " ..."
