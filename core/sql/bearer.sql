-- The access token with this hash (SHA-256, hex) while it stands, whose it is, what it was issued for and what it is
-- narrowed to.
SELECT
    account.id, account.is_superuser OR practitioner.id IS NOT NULL AS is_practitioner,
    COALESCE(application.client_id, '') AS client_id, token.scope, token.resource::text,
    COALESCE(own.id, consent.narrowing_id) AS narrowing_id,
    NULL::text[] AS permissions, NULL::bigint[] AS studies, false AS use_is_to_be_noted
FROM oauth2_provider_accesstoken AS token
JOIN core_user AS account ON account.id = token.user_id AND account.is_active
LEFT JOIN core_practitioner AS practitioner ON practitioner.user_id = account.id
LEFT JOIN oauth2_provider_application AS application ON application.id = token.application_id
LEFT JOIN core_narrowing AS own ON own.access_token_id = token.id
LEFT JOIN core_consentedtoken AS link ON link.access_token_id = token.id
LEFT JOIN core_clientconsent AS consent ON consent.id = link.consent_id
WHERE token.token_checksum = %(checksum)s AND token.expires > now()
