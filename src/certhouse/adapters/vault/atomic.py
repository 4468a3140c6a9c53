"""Files that are there whole or not at all, also after a power cut."""

import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes, *, mode: int = 0o644, group: int = -1) -> None:
    """Writes a file that nobody reads yet, and makes it durable. It never has a wider mode than its last one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if group >= 0:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Writes a file in the place of another, by one rename."""
    for folder in reversed([path.parent, *path.parent.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    write_new(new, content, mode=mode)
    new.replace(path)
    sync_folder(path.parent)


def switch_link(link: Path, target: Path) -> None:
    """Points a symbolic link at another folder, by one rename. ``target`` is relative to the link's folder."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync_folder(link.parent)


def remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
