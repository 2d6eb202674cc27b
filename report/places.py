"""Places in the tree of paths, and how to tell from a place what its path is, and what it was."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("NAMES_KEPT", "NOWHERE", "File", "Node", "Root", "earlier_paths", "names_of", "path_of", "path_until", "top_of")

NAMES_KEPT = 4
NOWHERE = "?"  # stands for the folder in front of a path that is relative to an unknown one

_DEEPEST = 1 << 12  # names in one path; the kernel takes no more than 2048


class Node:
    """A place in the tree: there may be a file, or folders on the way to one."""

    __slots__ = ("below", "file", "name", "parent", "since", "was")

    def __init__(self, parent: Node | None, name: str, since: int) -> None:
        self.parent = parent
        self.name = name
        self.since = since  # the rename before which it was not here
        self.below: dict[str, Node] | None = None
        self.file = 0
        self.was: tuple[tuple[int, str], ...] = ()  # earlier paths, each with the number of the rename that ended it


class Root(Node):
    """The top of a mount namespace, or what stands for a folder that is not known."""

    __slots__ = ("namespace",)

    def __init__(self, namespace: int, name: str) -> None:
        super().__init__(None, name, 0)
        self.namespace = namespace


@dataclass(slots=True)
class File:
    """One file, as long as it was there."""

    node: Node | None  # None: it is in no folder, and has a name only
    thing: int  # index of what its descriptors stand for
    name: str = ""
    kind: str = "file"
    created: bool = False
    deleted: bool = False
    died: int = 0  # number of the change that deleted it; 0: none, or from before the trace


def names_of(node: Node) -> tuple[list[str], Node]:
    """The names on the way from the top, and the top: or where the way is too long, some folder on it."""
    names: list[str] = []
    while node.parent is not None and len(names) < _DEEPEST:
        names.append(node.name)
        node = node.parent
    return names[::-1], node


def path_of(node: Node) -> str:
    """The path of a place, as it is now."""
    names, top = names_of(node)
    return _joined(top, names)


def path_until(node: Node, change: int) -> str:
    """The path of a place, as it was when a change with this number was made."""
    names: list[str] = []
    while node.parent is not None and len(names) < _DEEPEST:
        later = next((path for number, path in node.was if number > change), None)
        if later is not None:
            return "/".join([later, *reversed(names)])
        names.append(node.name)
        node = node.parent
    return _joined(node, names[::-1])


def earlier_paths(node: Node) -> list[tuple[int, str]]:
    """Every path that it had before, with the number of the rename that ended it: its own, and those of folders it was in."""
    found = list(node.was)
    names = [node.name]
    since, above = node.since, node.parent
    while above is not None and len(names) < _DEEPEST:
        found += [(number, "/".join([path, *reversed(names)])) for number, path in above.was if number > since]
        since = max(since, above.since)
        names.append(above.name)
        above = above.parent
    return sorted(found)


def top_of(node: Node) -> Root | None:
    """The root that a place is under; None if the way is too long."""
    for _ in range(_DEEPEST):
        if node.parent is None:
            break
        node = node.parent
    return node if isinstance(node, Root) else None


def _joined(top: Node, names: list[str]) -> str:
    """Names under what the way up led to."""
    start = top.name if top.parent is None else "..."
    return "/".join([start, *names]) if names else start or "/"
