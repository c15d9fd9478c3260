-- What statistics are made of: not what was entered in error or cancelled (as FHIR's $stats).
observation.status NOT IN ('entered-in-error', 'cancelled')
