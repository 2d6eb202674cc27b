import json

import pytest

from report.text import as_json, command_line, count, duration, size, visible


@pytest.mark.parametrize(("text", "shown"), [
    ("plain /a b", "plain /a b"),
    ("日本語é", "日本語é"),
    ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
    ("\x1b[31mred\x07", "\\e[31mred\\x07"),
    ("back\\slash", "back\\\\slash"),
    ("\udcff\udc80", "\\xff\\x80"),
    ("\x7f\x9b", "\\x7f\\u009b"),
    ("\u202egpj.exe", "\\u202egpj.exe"),
    ("\u2028\U000e0001", "\\u2028\\U000e0001"),
])
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_every_kind_of_character_becomes_printable() -> None:
    codes = (*range(0x3000), *range(0xD7FF, 0xE001), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0100), 0x10FFFF)
    assert all(visible(chr(code)).isprintable() for code in codes)


def test_command_line_can_be_typed_again() -> None:
    assert command_line(("sh", "-c", "echo $HOME", "", "it's")) == """sh -c 'echo $HOME' '' 'it'"'"'s'"""
    assert command_line(["a\nb'c\udcff"]) == "$'a\\nb\\'c\\xff'"


def test_json_is_utf8_and_safe_on_a_terminal() -> None:
    hostile = "é\udcff\x1b\x7f\x9b\u202e\u2028日"
    text = as_json({hostile: hostile})
    text.encode()
    assert text.isprintable()
    assert json.loads(text) == {hostile: hostile}
    assert as_json({"b": 1, "a": [1, None, True]}) == '{"b":1,"a":[1,null,true]}'


@pytest.mark.parametrize(("ns", "shown"), [
    (0, "0 ns"), (999, "999 ns"), (1_000, "1.00 us"), (12_345, "12.3 us"), (999_499, "999 us"), (999_500, "1.00 ms"), (9_994_999, "9.99 ms"),
    (9_996_000, "10.0 ms"), (59_900_000_000, "59.9 s"), (59_960_000_000, "1m 00s"), (3_599_400_000_000, "59m 59s"), (3_600_000_000_000, "1h 00m"),
    (90_000_000_000_000, "1d 01h"), (-2_000_000, "-2.00 ms"),
])
def test_duration(ns: int, shown: str) -> None:
    assert duration(ns) == shown


def test_sizes_and_counts() -> None:
    assert [size(octets) for octets in (0, 999, 1000, 1_500_000, 999_600, 10**18)] == ["0 B", "999 B", "1.00 kB", "1.50 MB", "1.00 MB", "1000 PB"]
    assert count(1234567) == "1,234,567"
