from typing import Any

import pytest

from report.html.coverage import coverage, sentences


def connection(**fields: Any) -> dict[str, Any]:
    return {"name": None, "sni": "", "remote": "192.0.2.1:443", "pid": 1, "process": "x", "library": "openssl",
            "sent_bytes": 500, "received_bytes": 500, "app_sent": 400, "app_received": None, "percent": 100.0, "reason": "", **fields}


def document(*connections: dict[str, Any], percent: float | None = 100.0, **redacted: int) -> dict[str, Any]:
    return {"tls": {"connections": connections, "images": [], "percent": percent, "redacted": redacted}}


def test_all_was_read() -> None:
    told = coverage(document(connection()))
    assert (told["share"], told["whole"], told["connections"], told["unread"]) == ("100 %", True, 1, [])
    assert sentences(document(connection())) == []


def test_no_tls_at_all() -> None:
    told = coverage(document(percent=None))
    assert (told["share"], told["whole"], told["connections"], told["secrets"], told["redacted"]) == ("", True, 0, 0, "")


@pytest.mark.parametrize(("percent", "share"), [(99.99, "99.9 %"), (0.0, "0 %"), (87.5, "87.5 %"), (50.0, "50 %"), (0.04, "0 %")])
def test_shares_are_never_rounded_up(percent: float, share: str) -> None:
    assert coverage(document(percent=percent))["share"] == share


def test_what_was_not_read_is_named_with_its_reason() -> None:
    rows = [connection(name="a.example", percent=0.0, reason="rustls is not supported", sent_bytes=None),
            connection(sni="b.example", percent=99.0, sent_bytes=70_000), connection(percent=None, reason="attached late"), connection()]
    rows += [connection(sni=f"c{number}", percent=1.0, sent_bytes=0, received_bytes=1) for number in range(2)]
    found = document(*rows, percent=40.25)
    assert [(row["name"], row["bytes"]) for row in coverage(found)["unread"]] == [
        ("b.example", 70_500), ("192.0.2.1:443", 1000), ("a.example", 900), ("c0", 1), ("c1", 1)]
    assert sentences(found) == ["40.2 % of the TLS traffic was read in clear. Not read: b.example: 70.5 kB; 192.0.2.1:443: 1.00 kB, attached late; "
                                "a.example: 900 B, rustls is not supported; and 2 more."]
    assert sentences(document(connection(reason="x"), percent=None))[0].startswith("Not all TLS traffic was read in clear. Not read:")


def test_secrets_by_where_they_were() -> None:
    assert coverage(document(header=2, body=1, shape=0))["secrets"] == 3
    assert sentences(document(header=1200, body=1, shape=0)) == ["1,201 secrets were taken out: 1,200 in headers, 1 in bodies."]
    assert sentences(document(argument=1)) == ["1 secret was taken out: 1 in arguments."]
