"""Who may see what, in plain Python and from the rules alone: no database, no policy module, no shared code.

A world is drawn by hypothesis; ids are small numbers that `build` maps to rows.
"""

from dataclasses import dataclass, field

CODES = range(3)


@dataclass(frozen=True)
class Limit:
    """What a person's token is narrowed to: studies and organizations (None: everywhere), kinds of data and the one
    patient (None: all)."""

    studies: frozenset[int] | None
    organizations: frozenset[int] | None
    codes: frozenset[int] | None
    patient: int | None

    @property
    def everywhere(self) -> bool:
        return self.studies is None and self.organizations is None


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
    limits: dict[int, Limit] = field(default_factory=dict)
    """user -> what their token is narrowed to; who is not here has a token for everything"""


def oracle_of(world: World, user: int) -> "Oracle":
    return NarrowedOracle(world, user, world.limits[user]) if user in world.limits else Oracle(world, user)


def oracle_at(world: World, user: int, study: int) -> "Oracle":
    """At the endpoint of a study that the user reaches: the token is narrowed to it, besides what it is narrowed to."""
    limit = world.limits.get(user)
    return NarrowedOracle(
        world,
        user,
        Limit(
            studies=frozenset({study}),
            organizations=None,
            codes=None if limit is None else limit.codes,
            patient=None if limit is None else limit.patient,
        ),
    )


class Oracle:
    """What one user of a world may see."""

    def __init__(self, world: World, user: int) -> None:
        self.world, self.user = world, user
        self.active = user not in world.inactive
        self.superuser = self.active and user in world.superusers
        self.own = {p for p, u in world.patients.items() if u == user and self.active}

    def left(self) -> set[int]:
        """The studies that the token leaves, whether the person reaches them or not."""
        return set(self.world.studies)

    def in_question(self) -> set[int]:
        """The patients of whom the token leaves anything."""
        return set(self.world.patients)

    def codes(self) -> set[int]:
        """The kinds of data that the token leaves."""
        return set(CODES)

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


class NarrowedOracle(Oracle):
    """What one user may see with a token that is narrowed."""

    def __init__(self, world: World, user: int, limit: Limit) -> None:
        super().__init__(world, user)
        self.limit, self.person = limit, Oracle(world, user)
        self.superuser = False
        self.own &= self.in_question()

    def in_question(self) -> set[int]:
        return set(self.world.patients) if self.limit.patient is None else {self.limit.patient}

    def left(self) -> set[int]:
        named, organizations = self.limit.studies or (), self.limit.organizations or ()
        return {s for s, o in self.world.studies.items() if self.limit.everywhere or s in named or o in organizations}

    def codes(self) -> set[int]:
        return set(CODES if self.limit.codes is None else self.limit.codes)

    def whole_organizations(self) -> set[int]:
        """Those that are left with everything that is theirs."""
        named = self.limit.organizations or ()
        return {o for o in self.person.organizations() if self.limit.everywhere or o in named}

    def organizations(self) -> set[int]:
        of_studies = {self.world.studies[s] for s in self.limit.studies or () if s in self.world.studies}
        return self.whole_organizations() | (of_studies & self.person.organizations())

    def led_studies(self) -> set[int]:
        return self.person.led_studies() & self.left()

    def studies(self) -> set[int]:
        return self.person.studies() & self.left()

    def patients(self) -> set[int]:
        shared = {p for p, o in self.world.patient_organizations if o in self.whole_organizations()}
        enrolled = {p for s, p in self.world.enrolments if s in self.led_studies()} & self.person.patients()
        return (shared | enrolled | self.own) & self.in_question()

    def own_grants(self) -> set[tuple[int, int]]:
        """A patient's own data, narrowed to studies, is what they share with these."""
        shared = {(p, c) for (s, p, c), yes in self.world.consents.items() if yes and s in self.left()}
        everything = {(p, c) for p in self.own for c in CODES}
        return everything if self.limit.everywhere else everything & shared

    def grants(self, studies: set[int] | None = None) -> set[tuple[int, int]]:
        through = self.led_studies() if studies is None else self.led_studies() & studies
        consented = {(p, c) for (s, p, c), yes in self.world.consents.items() if yes and s in through}
        own = self.own_grants() if studies is None else set()
        return {(p, c) for p, c in consented | own if c in self.codes() and p in self.in_question()}

    def enrolled(self, study: int) -> set[int]:
        return self.person.enrolled(study) & self.in_question() if study in self.left() else set()

    def study_grants(self, study: int) -> set[tuple[int, int]]:
        said_yes = {(p, c) for (s, p, c), yes in self.world.consents.items() if s == study and yes}
        return {
            (p, c)
            for p, c in said_yes
            if (study in self.led_studies() or (p, c) in self.own_grants())
            and c in self.codes()
            and p in self.in_question()
        }
