"""Keys that sign tokens: published before they sign, verifying after, gone when they leaked, and never shown."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from jwcrypto import jwk

from core.actions.signing_keys import SHORTEST_OVERLAP, prune, replace_at_once, rotate
from core.checks import keys_can_be_opened
from core.models import SigningKey, User
from core.models.signing_key import Algorithm, key_ring, signer
from core.oauth import keys
from core.policy.errors import InvalidInput
from tests.oauth import flow

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def freshly_read(db: None) -> Iterator[None]:
    keys.look_again()
    yield
    keys.look_again()


def published() -> dict[str, dict]:
    return {key["kid"]: key for key in Client().get("/o/.well-known/jwks.json").json()["keys"]}


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


def pass_the_time(by: timedelta) -> None:
    """As if everything about keys had happened longer ago."""
    for key in SigningKey.objects.all():
        key.active_from -= by
        key.verify_until = key.verify_until and key.verify_until - by
        key.save()
    keys.look_again()


def test_the_key_of_the_environment_signs_until_there_is_another(somebody: User) -> None:
    (kid,) = published()
    assert kid_of(flow.tokens(somebody)["access_token"]) == kid
    assert not SigningKey.objects.exists()


def test_a_new_key_is_published_at_once_and_signs_after_the_overlap(somebody: User) -> None:
    (former,) = published()
    new = rotate(Algorithm.RS256, overlap=HOUR)
    keys.look_again()
    assert published().keys() == {former, new.kid}
    assert kid_of(flow.tokens(somebody)["access_token"]) == former
    pass_the_time(HOUR)
    given = flow.tokens(somebody)
    assert kid_of(given["access_token"]) == kid_of(given["id_token"]) == new.kid
    assert flow.verified(given["access_token"], configured.MCP_URL)


def test_a_former_key_verifies_until_the_last_token_it_signed_has_run_out(somebody: User) -> None:
    (former,) = published()
    token = flow.tokens(somebody)["access_token"]
    rotate(Algorithm.RS256, overlap=HOUR)
    longest = timedelta(seconds=configured.LONGEST_TOKEN_SECONDS)
    pass_the_time(HOUR + longest - timedelta(minutes=1))
    assert flow.verified(token, configured.MCP_URL)
    pass_the_time(timedelta(minutes=2))
    assert former not in published()


def test_keys_that_verify_nothing_are_forgotten_but_that_of_the_environment_stays_ended() -> None:
    (environments,) = published()
    first = rotate(Algorithm.RS256, overlap=HOUR)
    pass_the_time(HOUR)
    second = rotate(Algorithm.RS256, overlap=HOUR)
    pass_the_time(timedelta(days=30))
    prune()
    assert set(SigningKey.objects.values_list("kid", flat=True)) == {environments, second.kid}
    assert published().keys() == {second.kid}
    assert first.kid not in published()


def test_a_leaked_key_is_gone_at_once_with_every_token_that_was_signed(somebody: User) -> None:
    (leaked,) = published()
    given, opaque = flow.tokens(somebody), flow.tokens(somebody, resource=None)["access_token"]
    new = replace_at_once(Algorithm.RS256)
    keys.look_again()
    assert published().keys() == {new.kid}
    assert not flow.stands(given["access_token"])
    assert not flow.stands(given["id_token"])
    assert flow.stands(opaque)
    again = flow.refresh(given["refresh_token"]).json()
    assert kid_of(again["access_token"]) == new.kid
    assert flow.stands(again["access_token"])
    assert leaked in set(SigningKey.objects.values_list("kid", flat=True))


def test_a_key_that_was_to_come_is_replaced_too_when_one_has_leaked() -> None:
    coming = rotate(Algorithm.RS256, overlap=HOUR)
    new = replace_at_once(Algorithm.RS256)
    assert published().keys() == {new.kid}
    assert not SigningKey.objects.filter(kid=coming.kid).exists()


def test_an_overlap_shorter_than_caches_keep_keys_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 15 minutes"):
        rotate(Algorithm.RS256, overlap=SHORTEST_OVERLAP - timedelta(seconds=1))
    assert not SigningKey.objects.exists()


def test_what_caches_may_keep_is_announced_and_is_less_than_any_overlap() -> None:
    said = Client().get("/o/.well-known/jwks.json")["Cache-Control"]
    assert said == "public, max-age=300"
    assert timedelta(seconds=2 * 300 + keys.RING_SECONDS) < SHORTEST_OVERLAP


def test_access_tokens_are_signed_with_es256_when_that_is_set_and_its_key_is_known(somebody: User, settings) -> None:
    settings.ACCESS_TOKEN_ALGORITHM = "ES256"
    (rsa,) = published()
    assert kid_of(flow.tokens(somebody)["access_token"]) == rsa
    elliptic = rotate(Algorithm.ES256, overlap=HOUR)
    pass_the_time(HOUR)
    given = flow.tokens(somebody)
    assert jwt.get_unverified_header(given["access_token"]) == {"alg": "ES256", "typ": "at+jwt", "kid": elliptic.kid}
    claims = jwt.decode(
        given["access_token"],
        jwt.PyJWK(published()[elliptic.kid]),
        algorithms=["ES256"],
        audience=configured.MCP_URL,
        issuer=configured.BASE_URL,
    )
    assert claims["sub"] == str(somebody.pk)
    assert (kid_of(given["id_token"]), published()[rsa]["alg"]) == (rsa, "RS256")


def test_another_algorithms_key_is_left_alone() -> None:
    (rsa,) = published()
    replace_at_once(Algorithm.ES256)
    keys.look_again()
    assert rsa in published()


def test_a_rotation_by_another_process_is_seen_within_seconds_and_tokens_ask_nothing_meanwhile(
    somebody: User, monkeypatch, django_assert_num_queries
) -> None:
    monkeypatch.setattr(keys.time, "monotonic", lambda: 1_000.0)
    claims = {"sub": "1"}
    before = keys.sign(claims, typ="JWT", algorithm=Algorithm.RS256)
    new = SigningKey.new(Algorithm.RS256, active_from=timezone.now())
    new.save()
    with django_assert_num_queries(0):
        assert kid_of(keys.sign(claims, typ="JWT", algorithm=Algorithm.RS256)) == kid_of(before)
    monkeypatch.setattr(keys.time, "monotonic", lambda: 1_000.0 + keys.RING_SECONDS)
    assert kid_of(keys.sign(claims, typ="JWT", algorithm=Algorithm.RS256)) == new.kid


def test_the_kid_is_the_thumbprint_and_nothing_private_is_published() -> None:
    for algorithm in Algorithm:
        rotate(algorithm, overlap=HOUR)
    for kid, key in published().items():
        assert jwk.JWK(**key).thumbprint() == kid
        assert key.keys() <= {"kty", "alg", "use", "kid", "n", "e", "crv", "x", "y"}


def private_numbers(key: SigningKey) -> list[str]:
    private = json.loads(key.key().export_private())
    return [private[name] for name in ("d", "p", "q") if name in private]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_private_part_is_in_no_column_dump_or_text(algorithm: Algorithm, capsys) -> None:
    key = rotate(algorithm, overlap=HOUR)
    secrets = private_numbers(key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(core_signingkey)::text FROM core_signingkey")
        shown = [row for (row,) in cursor.fetchall()]
    call_command("dumpdata", "core.signingkey")
    call_command("rotate_keys", "--list", "--json")
    shown += [capsys.readouterr().out, repr(key), str(key), repr(key.key())]
    for secret in secrets:
        as_bytes = urlsafe_b64decode(secret + "==")
        assert not any(secret in text or as_bytes.hex() in text for text in shown)


def test_a_copy_of_the_database_is_of_no_use_without_the_secret_key(settings) -> None:
    rotate(Algorithm.RS256, overlap=HOUR)
    pass_the_time(HOUR)
    (environments,) = (key for key in key_ring() if not key.private)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    assert signer(key_ring(), Algorithm.RS256) == environments


def test_a_former_secret_key_among_the_fallbacks_opens_what_it_sealed(settings) -> None:
    key = rotate(Algorithm.RS256, overlap=HOUR)
    pass_the_time(HOUR)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert signer(key_ring(), Algorithm.RS256) == key


def test_a_signature_counts_by_kid_alone_and_not_by_a_key_that_the_token_brings(somebody: User) -> None:
    mine = jwk.JWK.generate(kty="RSA", size=2048)
    pem = mine.export_to_pem(private_key=True, password=None)
    for header in ({"kid": "none of yours"}, {"jwk": json.loads(mine.export_public())}, {"kid": ""}):
        assert keys.verification_key(str(header.get("kid", ""))) is None
    forged = jwt.encode({"aud": "x"}, pem, algorithm="RS256", headers={"kid": next(iter(published()))})
    with pytest.raises(jwt.InvalidSignatureError):
        flow.verified(forged, "x")


def test_a_key_that_cannot_be_opened_is_warned_of_by_name(settings) -> None:
    assert keys_can_be_opened() == []
    key = rotate(Algorithm.RS256, overlap=HOUR)
    assert keys_can_be_opened() == []
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    (warning,) = keys_can_be_opened()
    assert (warning.id, key.kid in warning.msg) == ("core.W010", True)


def test_the_mcp_servers_role_reads_neither_keys_nor_secrets() -> None:
    with connection.cursor() as cursor:
        for table in ("core_signingkey", "core_resourceserver"):
            cursor.execute("SELECT has_table_privilege('jhe_mcp', %s, 'SELECT')", [table])
            assert cursor.fetchone() == (False,)
        cursor.execute(
            "SELECT has_column_privilege('jhe_mcp', 'oauth2_provider_application', 'client_secret', 'SELECT')"
        )
        assert cursor.fetchone() == (False,)


@pytest.mark.django_db(transaction=True)
def test_two_who_rotate_at_once_take_turns() -> None:
    def one(_: int) -> str:
        try:
            return rotate(Algorithm.RS256, overlap=HOUR).kid
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as administrators:
        kids = set(administrators.map(one, range(2)))
    assert len(kids) == 2
    assert [key.kid for key in SigningKey.objects.filter(verify_until=None)] == [SigningKey.objects.first().kid]
