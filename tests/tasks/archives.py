"""Archives of made-up files."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path


def archive(folder: Path, members: dict[str, bytes]) -> tuple[Path, str]:
    path = folder / "release.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
