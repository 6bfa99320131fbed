"""Keeps the last decoded fields, out of which one cell after the other is cut.

A field of 2000 x 2000 pixels with 100 boxes would otherwise be decoded 100 times.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Callable, Hashable, Optional

from PIL import Image

_BYTES_A_PIXEL = 3


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.image: Optional[Image.Image] = None

    @property
    def bytes(self) -> int:
        image = self.image
        return 0 if image is None else _BYTES_A_PIXEL * image.width * image.height


class DecodedFields:
    """RGB images, of which those asked for last are kept. Threads may share it.

    Of threads that want the same image, one decodes it and the others wait.

    Args:
        most_bytes: Of all kept images together. A larger image is handed out and not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, decode: Callable[[], Image.Image]) -> Image.Image:
        """The image of a key, decoded if it is not kept. It must not be changed.

        What `decode` raises is raised, and the next who asks tries again.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:
            if entry.image is None:
                try:
                    entry.image = decode()
                finally:
                    self._make_room(key, entry)
            return entry.image

    def _make_room(self, key: Hashable, entry: _Entry) -> None:
        with self._lock:
            if not 0 < entry.bytes <= self._most_bytes:
                self._entries.pop(key, None)
            total = sum(one.bytes for one in self._entries.values())
            for name, one in list(self._entries.items()):
                if total <= self._most_bytes:
                    break
                total -= one.bytes
                del self._entries[name]
