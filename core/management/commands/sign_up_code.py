from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.actions.sign_up import LIFETIME, make_sign_up_code
from core.models import Organization, User
from core.policy.errors import DomainError
from core.policy.roles import PRACTITIONER_ROLES

DOOR = "command"


class Command(BaseCommand):
    help = "Make a code to sign up with, and print it. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("maker", help="the e-mail of the superuser or manager in whose name it is made")
        parser.add_argument("--organization", type=int, help="the id of an organization whose role it gives")
        parser.add_argument("--role", choices=[role.code for role in PRACTITIONER_ROLES], default="")
        parser.add_argument("--email", default="", help="whom it is for; without one, whoever has it")
        parser.add_argument("--uses", type=int, default=1, help="how many people may use it (default: %(default)s)")
        parser.add_argument("--days", type=int, default=LIFETIME.days, help="how long (default: %(default)s)")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            maker = User.objects.get_by_natural_key(options["maker"])
            asked = options["organization"]
            organization = None if asked is None else Organization.objects.get(pk=asked)
            _, text = make_sign_up_code(
                maker=maker,
                door=DOOR,
                organization=organization,
                role=options["role"],
                email=options["email"],
                uses=options["uses"],
                lifetime=timedelta(days=options["days"]),
            )
        except User.DoesNotExist:
            raise CommandError(f"Nobody here has the e-mail {options['maker']}.") from None
        except Organization.DoesNotExist:
            raise CommandError(f"There is no organization {options['organization']}.") from None
        except DomainError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(text)
