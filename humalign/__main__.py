"""``python -m humalign``."""

from .cli import main

raise SystemExit(main())
