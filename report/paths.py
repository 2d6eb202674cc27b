"""Every path of a session as one tree per mount namespace, and the files that lived at its places.

Renames move a whole branch at once, whatever was opened below it. ".." is taken lexically, at once: where the name before it is a
symbolic link, the kernel would have gone elsewhere, which nobody saw. A file that is deleted leaves its place; what comes there
later is another one.
"""

from __future__ import annotations

from report.places import NAMES_KEPT, NOWHERE, File, Node, Root, earlier_paths, names_of, path_of, path_until, top_of
from report.things import UNKNOWN, Kind, Thing, Things

__all__ = ("FOLDER", "MORE_FILES", "Files")

FOLDER = "folder"
MORE_FILES = "(more files)"

_MOST_FILES = 1 << 20
_MOST_NODES = 1 << 21
_DEEPEST = 1 << 12  # steps up; the kernel takes no path of more than 2048
_PATHS_KEPT = 1 << 16
_MOST_STEPS = 1 << 25  # from folder to folder, for renames: a second or two


class Files:
    """All files by index; 0 stands for those whose names are not known."""

    def __init__(self, things: Things) -> None:
        self.entries = [File(None, 0, UNKNOWN, UNKNOWN)]
        self.version = 0  # of the tree: which node a path leads to may change with it
        self.left_out = 0  # renames that were too many to follow
        self._things = things
        self._nodes = 0
        self._full = Root(0, MORE_FILES)  # where all paths lead once there is no more room
        self._steps = 0
        self._moved = False
        self._roots: dict[tuple[int, str], Root] = {}
        self._unplaced: dict[str, int] = {}
        self._folders: dict[Node, str] = {}  # paths that were told, as of the version below
        self._told = 0

    def root(self, namespace: int, name: str = "") -> Root:
        """The top of a mount namespace; with NOWHERE as name, the place of paths whose beginning is not known."""
        if (namespace, name) not in self._roots:
            self._roots[namespace, name] = Root(namespace, name)
        return self._roots[namespace, name]

    def walk(self, start: Node, top: Node, path: str) -> Node:
        """Where a path leads from folder ``start``, for a process whose root is ``top``."""
        node = top if path.startswith("/") else start
        for name in path.split("/"):
            if not name or name == ".":
                continue
            if name == ".." and not (node.name == ".." or (node.parent is None and node.name)):
                if node is not top and node.parent is not None:
                    node = node.parent
                continue
            node = self.below(node, name)
            if node is self._full:
                break
        return node

    def below(self, folder: Node, name: str) -> Node:
        """The place of this name, which is none of "", "." and "..", in a folder."""
        if folder.below is None:
            folder.below = {}
        found = folder.below.get(name)
        if found is None:
            if self._nodes >= _MOST_NODES or folder is self._full:
                return self._full
            self._nodes += 1
            found = folder.below[name] = Node(folder, name, self.version)
        return found

    def at(self, node: Node) -> int:
        """The index of the file that is at this place now."""
        if not node.file:
            if len(self.entries) >= _MOST_FILES or node is self._full:
                return self.unplaced(MORE_FILES)
            node.file = self._add(File(node, 0))
        return node.file

    def unplaced(self, name: str, kind: str = "file", thing: Kind = Kind.FILE) -> int:
        """The index of the file that goes by this name and is in no folder."""
        if name not in self._unplaced and len(self._unplaced) >= _MOST_FILES:
            name = MORE_FILES
        if name not in self._unplaced:
            self._unplaced[name] = self._add(File(None, 0, name, kind), thing)
        return self._unplaced[name]

    def gone(self, node: Node) -> int:
        """The index of a file that was at this place until before the trace."""
        if len(self.entries) >= _MOST_FILES:
            return self.unplaced(MORE_FILES)
        return self._add(File(Node(node.parent, node.name, self.version), 0, deleted=True, died=self.version))

    def mirror(self, node: Node, namespace: int) -> Node:
        """The place of the same path in another mount namespace."""
        names, root = names_of(node)
        top = self.root(namespace, root.name if isinstance(root, Root) else NOWHERE)
        return self.walk(top, top, "/".join(names))

    def end(self, node: Node) -> None:
        """The file at this place is deleted."""
        file = self.entries[self.at(node)]
        file.deleted = True
        if file.node is node:
            self.version += 1
            file.died = self.version
            self._leave(node)

    def move(self, old: Node, new: Node) -> None:
        """What was at ``old`` is at ``new`` now, in place of what was there, with all that is below it."""
        if old is new or not self._may_move(old, new):
            return
        if new.file:
            self.end(new)
        else:
            self._leave(new)
        self.at(old)
        self._place(old, new.parent, new.name)

    def path(self, file: File) -> str:
        """The last path of a file."""
        if file.node is None:
            return file.name
        return path_until(file.node, file.died) if file.died else self._path(file.node)

    def _path(self, node: Node) -> str:
        """As path_of, but many files are in one folder."""
        folder = node.parent
        if folder is None or folder.parent is None:
            return path_of(node)
        if self._told != self.version or len(self._folders) > _PATHS_KEPT:
            self._folders.clear()
            self._told = self.version
        above = self._folders.get(folder)
        if above is None:
            above = path_of(folder)
            if above.startswith("...") or above.count("/") >= _DEEPEST - 1:
                return path_of(node)  # the beginning of a path that is too long is left out, and of this one it is another
            self._folders[folder] = above
        return f"{above}/{node.name}"

    def namespace(self, file: File) -> int:
        """Which mount namespace its path is in."""
        top = top_of(file.node) if file.node is not None else None
        return top.namespace if top is not None else 0

    def was(self, file: File) -> tuple[str, ...]:
        """Its earlier paths, oldest first; the last few of many."""
        if file.node is None or not self._moved:
            return ()
        paths = [path for number, path in earlier_paths(file.node) if not file.died or number < file.died]
        return tuple(paths[-NAMES_KEPT:])

    def _add(self, file: File, kind: Kind = Kind.FILE) -> int:
        self.entries.append(file)
        file.thing = self._things.put(Thing(kind, file.name, file=len(self.entries) - 1))
        return len(self.entries) - 1

    def _may_move(self, one: Node, other: Node) -> bool:
        """Whether neither is in the other, which no kernel allows, and there is time left."""
        if self._steps > _MOST_STEPS or self._full in (one, other):
            self.left_out += 1
            return False
        for low, high in ((one, other), (other, one)):
            node: Node | None = low
            for _ in range(_DEEPEST):
                if node is None or node is high:
                    break
                node = node.parent
                self._steps += 1
            if node is not None:
                return False
        return True

    def _place(self, node: Node, parent: Node | None, name: str) -> None:
        self._moved = True
        earlier, path = earlier_paths(node), path_of(node)
        self._steps += path.count("/") * (len(earlier) + 2)
        self._leave(node)
        self.version += 1
        node.was = (*earlier[1 - NAMES_KEPT:], (self.version, path))
        node.parent, node.name, node.since = parent, name, self.version
        if parent is not None:
            if parent.below is None:
                parent.below = {}
            parent.below[name] = node

    def _leave(self, node: Node) -> None:
        """Whatever comes to its place is something else; from what was below it, its path can still be told."""
        below = node.parent.below if node.parent is not None else None
        if below is not None and below.get(node.name) is node:
            del below[node.name]
