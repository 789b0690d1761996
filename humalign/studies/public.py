"""The public files, for studies that still take a profile; it goes when every chapter takes a source."""

from __future__ import annotations

from .. import record as recording
from ..record import Tables

__all__ = ["Study", "Tables"]


def Study(name, needed, keys, version, make):
    """:class:`humalign.record.Study` with a ``make`` that takes the profile of the public files."""
    return recording.Study(name, needed, keys, version, lambda source: make(source.profile))
