"""In the admin, the fields of a peer are called as OAuth calls them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0023_mcp_reads")]

    operations = [
        migrations.AlterField(
            "peer", "url", models.CharField("URL", help_text="Its MCP endpoint.", max_length=500, unique=True)
        ),
        migrations.AlterField(
            "peer",
            "issuer",
            models.CharField(
                "OAuth issuer",
                help_text=(
                    "Its authorization server, as its metadata spell it. Tokens are asked for there and nowhere else."
                ),
                max_length=500,
            ),
        ),
        migrations.AlterField(
            "peer",
            "client_id",
            models.CharField(
                "OAuth client id",
                blank=True,
                help_text="Of this exchange there. Empty, for logins: it registers itself there.",
                max_length=255,
            ),
        ),
        migrations.AlterField(
            "peer",
            "client_secret",
            models.TextField("OAuth client secret", blank=True, editable=False, help_text="Encrypted (Fernet)."),
        ),
        migrations.AlterField(
            "peer",
            "scope",
            models.CharField(
                "OAuth scope", default="mcp", help_text="What is asked for: words separated by spaces.", max_length=255
            ),
        ),
    ]
