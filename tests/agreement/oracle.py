"""Who may see what, in plain Python and from the rules alone: no database, no policy module, no shared code.

A world is drawn by hypothesis; ids are small numbers that `build` maps to rows.
"""

from dataclasses import dataclass, field

CODES = range(3)


@dataclass
class World:
    organizations: int
    users: int
    superusers: set[int]
    inactive: set[int]
    roles: dict[tuple[int, int], str]
    """(user, organization) -> viewer | member | manager"""
    patients: dict[int, int | None]
    """patient -> the user that logs in as this patient"""
    patient_organizations: set[tuple[int, int]]
    studies: dict[int, int]
    """study -> organization"""
    requests: set[tuple[int, int]]
    """(study, code)"""
    enrolments: set[tuple[int, int]]
    """(study, patient)"""
    consents: dict[tuple[int, int, int], bool] = field(default_factory=dict)
    """(study, patient, code)"""


class Oracle:
    """What one user of a world may see."""

    def __init__(self, world: World, user: int) -> None:
        self.world, self.user = world, user
        self.active = user not in world.inactive
        self.superuser = self.active and user in world.superusers
        self.own = {p for p, u in world.patients.items() if u == user and self.active}

    def organizations(self) -> set[int]:
        everything = range(self.world.organizations)
        member = {o for (u, o) in self.world.roles if u == self.user and self.active}
        return set(everything) if self.superuser else member

    def led_studies(self) -> set[int]:
        return {s for s, o in self.world.studies.items() if o in self.organizations()}

    def studies(self) -> set[int]:
        return self.led_studies() | {s for s, p in self.world.enrolments if p in self.own}

    def patients(self) -> set[int]:
        shared = {p for p, o in self.world.patient_organizations if o in self.organizations()}
        return set(self.world.patients) if self.superuser else shared | self.own

    def grants(self, studies: set[int] | None = None) -> set[tuple[int, int]]:
        """(patient, code) whose observations may be read; through `studies` alone when given."""
        through = self.led_studies() if studies is None else self.led_studies() & studies
        consented = {(p, c) for (s, p, c), yes in self.world.consents.items() if yes and s in through}
        return consented | ({(p, c) for p in self.own for c in CODES} if studies is None else set())

    def enrolled(self, study: int) -> set[int]:
        """The study's patients that this user may know to take part."""
        seen = self.patients() if study in self.led_studies() else self.own
        return {p for s, p in self.world.enrolments if s == study and p in seen}

    def study_grants(self, study: int) -> set[tuple[int, int]]:
        """(patient, code) that count as the study's observations for this user: a participant's own consents too."""
        said_yes = {(p, c) for (s, p, c), yes in self.world.consents.items() if s == study and yes}
        return {(p, c) for p, c in said_yes if study in self.led_studies() or p in self.own}
