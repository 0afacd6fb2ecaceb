"""How often Python looks for garbage that refers to itself: seldom.

This program makes very many small records and almost no such garbage. As often as Python looks by default, walking over
all that is known of a chain takes a third of the processor's time in which logs are folded.
"""

from __future__ import annotations

import gc

ALLOCATIONS = 20_000
"""Records more than were freed, from one look at the youngest to the next. Python's own figure is 700."""


def look_seldom() -> None:
    """Set it for this process. Everything else is freed as ever, with the last reference to it."""
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])
