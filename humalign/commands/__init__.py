"""Sub-commands of ``humalign``: each module has ``EXAMPLE``, ``configure(parser)`` and ``main(args)``."""
