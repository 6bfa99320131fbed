"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success it takes `path`'s place at once.

    On any exception, a keyboard interrupt included, the temporary file is removed and `path`
    stays as it was. The temporary name keeps the suffix, because writers go by it.

    Args:
        path: The file to be written. Its folder is made when it is missing.

    Raises:
        OSError: If nothing can be written there; names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(f"{path.suffix}", f".{path.stem}-", path.parent)
    except OSError as error:  # of the temporary file, whose name nobody knows
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp gives 0600; results should be as readable as any new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Union[str, Path], content: Union[str, bytes]) -> None:
    """Writes text (UTF-8) or bytes whole or not at all (see `whole_file`)."""
    data = content.encode() if isinstance(content, str) else content
    with whole_file(path) as temporary:
        temporary.write_bytes(data)
