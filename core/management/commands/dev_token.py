from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.models import User
from core.oauth.issue import ALL_SCOPES, issue
from core.policy.errors import InvalidInput


class Command(BaseCommand):
    help = "Print a bearer token of somebody, and nothing else, to try things with curl. Development only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--resource",
            default=settings.MCP_URL,
            help="what the access token is for (default: %(default)s); '' makes an opaque token",
        )
        parser.add_argument(
            "--scope",
            default=" ".join(ALL_SCOPES),
            help="what it may be used for, words separated by spaces (default: %(default)s)",
        )
        parser.add_argument("--id-token", action="store_true", help="print the ID token instead")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("dev_token works in development only: log in instead.")
        try:
            user = User.objects.get_by_natural_key(options["email"])
        except User.DoesNotExist:
            raise CommandError(f"Nobody here has the e-mail {options['email']}: correct it, or seed first.") from None
        if not user.is_active:
            raise CommandError(f"{user.email} is deactivated: activate the account in the admin.")
        try:
            tokens = issue(user, resource=options["resource"], scopes=tuple(options["scope"].split()))
        except InvalidInput as error:
            raise CommandError(str(error)) from None
        self.stdout.write(tokens["id_token" if options["id_token"] else "access_token"])
