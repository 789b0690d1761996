"""The drawn world of profile mini: drawings, observers, data sets, and networks trained on them.

Modules: ``drawing`` (the drawings as data), ``draw`` (one picture), ``stimuli`` (sets of pictures by id),
``observers`` (simulated people), ``datasets`` (what they judged, in the shape of the real data sets), ``protocol``
(everything frozen).
"""
