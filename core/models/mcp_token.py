"""Tokens that a person makes for an agent without a browser."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class McpToken(models.Model):
    """`jhe_pat_…`: acts for its maker, within what it is narrowed to. Of the token only the hash is kept."""

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

    class Meta:
        ordering = ["id"]
        verbose_name = "MCP token"
        indexes = [models.Index(fields=["user", "id"], name="mcp_token_of_user")]

    def __str__(self) -> str:
        return f"MCP token {self.pk} of user {self.user_id}"
