// Drives openid-client as a web application of the exchange. It prints JSON, a line at a time, and reads URLs that the
// browser was sent back to: what to open, what it learned and where to log out, whether the logout is its own.
// CLIENT_SECRET=... node openid_client.mjs ISSUER CLIENT_ID REDIRECT_URI

import { createInterface } from "node:readline";

import * as client from "../npm/node_modules/openid-client/build/index.js";

const [issuer, clientId, redirectUri] = process.argv.slice(2);
const comeBack = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => new URL((await comeBack.next()).value);
const say = (value) => console.log(JSON.stringify(value));
process.on("uncaughtException", ({ code, message }) => {
  say({ failed: `${code} ${message}` });
  process.exit(1);
});

const config = await client.discovery(new URL(issuer), clientId, process.env.CLIENT_SECRET, undefined, {
  execute: [client.allowInsecureRequests], // the exchange of the tests is on this machine
});
const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
say({
  open: client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  }),
});

const tokens = await client.authorizationCodeGrant(config, await next(), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
});
const { sub, email, user_type } = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
const again = await client.fetchUserInfo(config, renewed.access_token, sub);
const logoutState = client.randomState();
say({
  claims: { sub, email, user_type },
  userinfo: { sub: userinfo.sub, email: again.email, user_type: again.user_type },
  renewed: renewed.access_token !== tokens.access_token && renewed.refresh_token !== tokens.refresh_token,
  logout: client.buildEndSessionUrl(config, {
    id_token_hint: renewed.id_token ?? tokens.id_token,
    post_logout_redirect_uri: redirectUri,
    state: logoutState,
  }),
});
say({ state: (await next()).searchParams.get("state") === logoutState });
process.exit(0);
