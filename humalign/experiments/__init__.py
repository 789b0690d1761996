"""Experiments whose results are recorded with the package.

Modules: ``plan`` (the list, protocol in PROTOCOL.md) and ``queue`` (runs and collects) of the alignment experiments of
the drawn world, ``students`` (one run), ``measures`` (what a student is worth), ``diagnose`` (how ports go wrong), and
``seeds`` (further training runs of the small networks).
"""
