from collections.abc import Mapping

from django.db import models


class Setting(models.Model):
    """What the people of an exchange tell the people who use it; a key without a row has its default."""

    DEFAULTS: Mapping[str, str] = {
        "exchange.name": "JupyterHealth Exchange",
        "exchange.privacy_url": "",
        "exchange.support_email": "",
        "exchange.terms_url": "",
    }

    key = models.CharField(max_length=64, primary_key=True, choices=[(key, key) for key in DEFAULTS])
    value = models.CharField(max_length=500)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @classmethod
    def all_values(cls) -> dict[str, str]:
        """Every known key with its value, in alphabetical order."""
        return {**cls.DEFAULTS, **dict(cls.objects.filter(key__in=cls.DEFAULTS).values_list("key", "value"))}
