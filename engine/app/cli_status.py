"""`hearthline status` and `hearthline queue-log`: what the running engine does."""

from __future__ import annotations
