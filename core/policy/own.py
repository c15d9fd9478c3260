"""What is a person's own by its owner alone, so that no access view tells of it: which of their tokens see it."""

from core.policy.principal import Principal


def sees_own_client_consents(principal: Principal) -> bool:
    """Not with a token that can do less than its person: other apps are none of its affairs."""
    return principal.acts_in_full


def sees_every_own_job(principal: Principal) -> bool:
    """With a token that reaches less than its person, only the jobs that its client asked for with the same reach."""
    return principal.narrowing_id is None
