"""The AligNet pipeline on any images: teacher, sampled triplets with soft labels, student.

Modules: ``teacher`` (affine map that agrees with people), ``sampling`` (which triplets), ``dataset`` (the released
layout of files), ``losses``, ``optim``, ``student`` (tower and head), ``batches``, ``training``, ``diagnose`` (how
ports go wrong), ``mini`` (the drawn world) and ``experiments`` (its protocol and its queue).

Source: Muttenthaler et al., Aligning machine and human visual representations across abstraction levels, Nature 2025.
"""
