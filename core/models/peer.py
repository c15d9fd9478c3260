"""Other MCP servers, such as another exchange's, whose tools people of this one use on their own behalf there."""

from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from core.derived_keys import seal, unseal
from core.models.access import Access
from core.policy.errors import InvalidInput
from core.policy.peers import check_endpoint, roles_for_peers
from core.policy.principal import Principal

_PURPOSE = "peers"


class PeerAccess(Access):
    """Persons only: a token that is narrowed reaches no peer."""

    peer_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_peer"


class PeerQuerySet(models.QuerySet["Peer"]):
    def visible_to(self, principal: Principal) -> Self:
        """Those that are enabled, of the caller's organizations."""
        reached = PeerAccess.of(principal).filter(role__in=roles_for_peers(principal), peer_id=models.OuterRef("pk"))
        return self.filter(models.Exists(reached))


class Peer(models.Model):
    """One of them, and how people of this exchange get tokens for it (docs/federation.md)."""

    class Method(models.TextChoices):
        EXCHANGE = "exchange", "It trusts this exchange: tokens by token exchange (RFC 8693)"
        LOGIN = "login", "Each person logs in there once"

    name = models.CharField(max_length=60, help_text="As people know it.")
    prefix = models.CharField(
        max_length=16,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9]*\Z", "Small letters and digits, a letter first.")],
        help_text="Its tools are called <prefix>__<tool>.",
    )
    url = models.CharField("URL", max_length=500, unique=True, help_text="Its MCP endpoint.")
    issuer = models.CharField(
        "OAuth issuer",
        max_length=500,
        help_text="Its authorization server, as its metadata spell it. Tokens are asked for there and nowhere else.",
    )
    method = models.CharField(max_length=8, choices=Method, default=Method.EXCHANGE)
    client_id = models.CharField(
        "OAuth client id",
        max_length=255,
        blank=True,
        help_text="Of this exchange there. Empty, for logins: it registers itself there.",
    )
    client_secret = models.TextField("OAuth client secret", blank=True, editable=False, help_text="Encrypted (Fernet).")
    scope = models.CharField(
        "OAuth scope", max_length=255, default="mcp", help_text="What is asked for: words separated by spaces."
    )
    enabled = models.BooleanField(default=True)
    changed = models.DateTimeField(auto_now=True)
    organizations = models.ManyToManyField("core.Organization", through="PeerOrganization", related_name="+")

    objects = PeerQuerySet.as_manager()

    class Meta:
        ordering = ["prefix"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        for field in ("url", "issuer"):
            try:
                check_endpoint(getattr(self, field))
            except InvalidInput as error:
                raise ValidationError({field: str(error)}) from None

    @property
    def secret(self) -> str:
        return unseal(_PURPOSE, self.client_secret) or ""

    @secret.setter
    def secret(self, secret: str) -> None:
        self.client_secret = seal(_PURPOSE, secret) if secret else ""


class PeerOrganization(models.Model):
    """Whose members see a peer."""

    peer = models.ForeignKey(Peer, models.CASCADE, related_name="organization_links")
    organization = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["peer", "organization"], name="peer_organization_once")]

    def __str__(self) -> str:
        return f"Organization {self.organization_id} of peer {self.peer_id}"


class PeerLogin(models.Model):
    """A person has logged in at a peer: the tokens that came of it, encrypted. It is theirs to withdraw."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="peer_logins")
    peer = models.ForeignKey(Peer, models.CASCADE, related_name="logins")
    tokens = models.TextField(editable=False, help_text="The answer of its token endpoint, encrypted (Fernet).")
    expires = models.DateTimeField(help_text="When the access token among them ends.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["user", "peer"], name="peer_login_once")]

    def __str__(self) -> str:
        return f"Login of user {self.user_id} at peer {self.peer_id}"
