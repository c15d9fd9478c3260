-- Everybody is asked, whatever the client: the library would not show its page to the users of a client marked so.
ALTER TABLE oauth2_provider_application ADD CONSTRAINT client_asks_everybody CHECK (NOT skip_authorization);
