"""The AligNet pipeline on any images: teacher, sampled triplets with soft labels, student.

Modules: ``judged`` and ``teacher`` (affine map that agrees with people), ``images``, ``sampling`` (which triplets),
``dataset`` (writes the released layout of files), ``losses``, ``optim``, ``settings``, ``student`` (a network of the
zoo and a triplet head), ``batches``, ``training`` and ``pipeline`` (what the command does).

Source: Muttenthaler et al., Aligning machine and human visual representations across abstraction levels, Nature 2025.
"""
