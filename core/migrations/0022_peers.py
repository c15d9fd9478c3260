"""Other MCP servers that this exchange is connected with."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0021_study_endpoints"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PeerAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("peer_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_peer", "managed": False},
        ),
        migrations.CreateModel(
            name="Peer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="As people know it.", max_length=60)),
                (
                    "prefix",
                    models.CharField(
                        help_text="Its tools are called <prefix>__<tool>.",
                        max_length=16,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z][a-z0-9]*\\Z", "Small letters and digits, a letter first."
                            )
                        ],
                    ),
                ),
                ("url", models.CharField(help_text="Its MCP endpoint.", max_length=500, unique=True)),
                (
                    "issuer",
                    models.CharField(
                        help_text="Its authorization server, as its metadata spell it. "
                        "Tokens are asked for there and nowhere else.",
                        max_length=500,
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("exchange", "It trusts this exchange: tokens by token exchange (RFC 8693)"),
                            ("login", "Each person logs in there once"),
                        ],
                        default="exchange",
                        max_length=8,
                    ),
                ),
                (
                    "client_id",
                    models.CharField(
                        blank=True,
                        help_text="Of this exchange there. Empty, for logins: it registers itself there.",
                        max_length=255,
                    ),
                ),
                (
                    "client_secret",
                    models.TextField(blank=True, editable=False, help_text="Encrypted (Fernet)."),
                ),
                (
                    "scope",
                    models.CharField(
                        default="mcp", help_text="What is asked for: words separated by spaces.", max_length=255
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("changed", models.DateTimeField(auto_now=True)),
            ],
            options={"ordering": ["prefix"]},
        ),
        migrations.CreateModel(
            name="PeerOrganization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.organization"
                    ),
                ),
                (
                    "peer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="organization_links", to="core.peer"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            "peer",
            "organizations",
            models.ManyToManyField(related_name="+", through="core.PeerOrganization", to="core.organization"),
        ),
        migrations.CreateModel(
            name="PeerLogin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tokens",
                    models.TextField(
                        editable=False, help_text="The answer of its token endpoint, encrypted (Fernet)."
                    ),
                ),
                ("expires", models.DateTimeField(help_text="When the access token among them ends.")),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "peer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="logins", to="core.peer"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="peer_logins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [models.UniqueConstraint(fields=("user", "peer"), name="peer_login_once")],
            },
        ),
        migrations.AddConstraint(
            "peerorganization",
            models.UniqueConstraint(fields=["peer", "organization"], name="peer_organization_once"),
        ),
        run("peers_v1", reverse="DROP VIEW access_peer"),
    ]
