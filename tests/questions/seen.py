"""What one person may see of the world, worked out in pandas from memberships, enrolments and consents."""

from functools import cache, cached_property

import pandas as pd

from tests.questions.world import Frame, World, accesses


class Seen:
    def __init__(self, world: World, who: str) -> None:
        self.world = world
        [self.user] = world.users[world.users.who == who].itertuples()

    @cached_property
    def organizations(self) -> Frame:
        """Those that the person works at, with the role; all for a superuser."""
        world = self.world
        if self.user.superuser:
            return world.organizations.assign(role="superuser")
        return world.members[world.members.user_id == self.user.user_id].merge(world.organizations)

    @cached_property
    def studies(self) -> Frame:
        """Those of these organizations, and those that the person takes part in."""
        led = self._led
        joined = self.world.enrolments[self.world.enrolments.patient_id.isin(self._self)].study_id
        studies = self.world.studies.merge(self.world.organizations)
        return studies[studies.study_id.isin({*led, *joined})].reset_index(drop=True)

    @cached_property
    def patients(self) -> Frame:
        """Those of these organizations, and the person."""
        belongs = self.world.belongs
        reached = belongs[belongs.organization_id.isin(self.organizations.organization_id)].patient_id
        everybody = self.world.patients
        if self.user.superuser:
            return everybody
        return everybody[everybody.patient_id.isin({*reached, *self._self})].reset_index(drop=True)

    def enrolled(self, study: str) -> Frame:
        """The patients of a study whom the person may know to take part."""
        in_study = self.world.enrolments[self.world.enrolments.study_id == self.study_id(study)].patient_id
        people = self.patients[self.patients.patient_id.isin(in_study)]
        return people if self.study_id(study) in self._led else people[people.patient_id.isin(self._self)]

    def consents(self, study: str) -> Frame:
        """The answers of these patients."""
        consents = self.world.consents
        return consents[
            (consents.study_id == self.study_id(study)) & consents.patient_id.isin(self.enrolled(study).patient_id)
        ]

    def said_yes(self, study: str, code: str) -> "pd.Series[int]":
        """The ids of the patients of a study who consent to a kind of data."""
        answers = self.consents(study)
        return answers[answers.consented & (answers.code == code)].patient_id

    def points(self, code: str | None = None, *, of: str | None = None, through: str | None = None) -> Frame:
        """The data points that the person may read: of one kind, `of` a patient, `through` a study; oldest first."""
        points = self._points if through is None else self._through(through)
        if code is not None:
            points = points[points.code == code]
        if of is not None:
            points = points[points.patient_id == self.patient_id(of)]
        return points

    def accesses(self, to: str, *, by: int | None = None) -> Frame:
        """The trail of a patient as it is now, newest first: user_id, who, action. Without its newest row: that is the
        question's own, which could not tell of itself."""
        return accesses(self.patient_id(to), by).iloc[1:].merge(self.world.users, on="user_id", how="left")

    def study_id(self, name: str) -> int:
        [found] = self.world.studies[self.world.studies.study == name].study_id
        return int(found)

    def patient_id(self, name: str) -> int:
        """Of the world's patients, whether the person may see them or not."""
        people = self.world.patients
        [found] = people[people.name.str.contains(name, regex=False)].patient_id
        return int(found)

    def name_of(self, patient_id: int) -> str:
        [found] = self.world.patients[self.world.patients.patient_id == patient_id].name
        return str(found)

    @cached_property
    def _self(self) -> list[int]:
        return list(self.world.patients[self.world.patients.user_id == self.user.user_id].patient_id)

    @cached_property
    def _led(self) -> set[int]:
        studies = self.world.studies
        return set(studies[studies.organization_id.isin(self.organizations.organization_id)].study_id)

    @cached_property
    def _points(self) -> Frame:
        """Their own, and what was consented to in a study of their organizations."""
        own = self.world.points[self.world.points.patient_id.isin(self._self)]
        yes = self.world.consents[self.world.consents.consented & self.world.consents.study_id.isin(self._led)]
        granted = self.world.points.merge(yes[["patient_id", "code"]].drop_duplicates())
        return pd.concat([own, granted]).drop_duplicates("observation_id").sort_values(["utc", "observation_id"])

    @cache  # noqa: B019 - a person's view lasts as long as the questions
    def _through(self, study: str) -> Frame:
        consents = self.consents(study)
        yes = consents[consents.consented][["patient_id", "code"]]
        return self._points.merge(yes).sort_values(["utc", "observation_id"])
