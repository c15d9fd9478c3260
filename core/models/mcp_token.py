"""Tokens that a person makes for an agent without a browser."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.models.access import Access
from core.policy.permissions import Permission
from core.policy.principal import Principal


class McpTokenAccess(Access):
    token_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_mcp_token"


class McpTokenQuerySet(models.QuerySet["McpToken"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.TOKEN_MANAGE) -> Self:
        """One's own, and those for what one manages."""
        return self.filter(McpTokenAccess.reaching(principal, permission, token_id="pk"))  # noqa: S106 - a column

    def standing(self) -> Self:
        return self.filter(revoked=None, expires__gt=timezone.now())

    def ended_before(self, moment: datetime) -> Self:
        return self.filter(Q(expires__lt=moment) | Q(revoked__lt=moment))


class McpToken(models.Model):
    """`jhe_pat_…`: acts for its maker, within what it is narrowed to. Of the token only the hash is kept."""

    class State(models.TextChoices):
        STANDS = "stands"
        EXPIRED = "expired"
        REVOKED = "revoked"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mcp_tokens")
    description = models.CharField(max_length=255, blank=True)
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, in hexadecimal.")
    scope = models.TextField(help_text="As of an access token: words separated by spaces.")
    permissions = ArrayField(models.TextField(), help_text="What it can do at most: <resource>:<action>.")
    narrowing = models.OneToOneField(
        "core.Narrowing", models.RESTRICT, null=True, related_name="mcp_token", help_text="None: everything."
    )
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    revoked = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)

    objects = McpTokenQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = "MCP token"
        indexes = [models.Index(fields=["user", "id"], name="mcp_token_of_user")]

    def __str__(self) -> str:
        return f"MCP token {self.pk} of user {self.user_id}"

    @property
    def client_id(self) -> str:
        """What stands for the client in the audit trail, and in `access_token`."""
        return f"mcp-token-{self.pk}"

    @property
    def state(self) -> State:
        if self.revoked is not None:
            return self.State.REVOKED
        return self.State.STANDS if self.expires > timezone.now() else self.State.EXPIRED
