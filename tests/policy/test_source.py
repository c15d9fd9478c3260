"""What the audit trail takes for the address of a request."""

import pytest

from core.policy.source import address_of


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_kept_in_one_spelling(said: str, address: str) -> None:
    assert address_of(said) == address


@pytest.mark.parametrize(
    "said",
    ["", "<script>", "localhost", "testclient", "192.0.2.7, 192.0.2.8", "192.0.2.7:80", "192.0.2.256", "1" * 60_000],
)
def test_anything_else_is_left_out(said: str) -> None:
    assert address_of(said) == ""


def test_a_zone_smuggles_nothing_in() -> None:
    assert address_of("fe80::1%<script>" + "x" * 60_000) == "fe80::1"
