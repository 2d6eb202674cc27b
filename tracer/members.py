"""IntEnum and IntFlag for tracer/records.py, which is loaded while the target waits: the standard library takes 2 ms to make those classes.

Members are integers with a name. A class has them by attribute and by name (``MapId["PLANS"]``), goes through them in their order, and has a
length. What is computed of them are plain integers, and a number that no member has is not refused.
"""

from __future__ import annotations

__all__ = ("IntEnum", "IntFlag")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum, IntFlag
else:

    class _Members(type):
        def __new__(kind, name, bases, body):
            cls = super().__new__(kind, name, bases, body)
            cls._members = {}
            for label, number in body.items():
                if label.isupper():
                    cls._members[label] = member = cls(number)
                    member.name = label
                    setattr(cls, label, member)
            return cls

        def __getitem__(cls, label):
            return cls._members[label]

        def __iter__(cls):
            return iter(cls._members.values())

        def __len__(cls):
            return len(cls._members)

    class IntEnum(int, metaclass=_Members):
        """Each number is one of several."""

    class IntFlag(int, metaclass=_Members):
        """Each number is a bit of several."""
