// Drives fhir-kit-client against a running exchange and prints, as JSON, what it found.
// node fhir_kit_client.mjs BASE_URL TOKEN ORGANIZATION_ID PATIENT_ID

import { Client } from "../npm/node_modules/fhir-kit-client/dist/index.js";

const [baseUrl, bearerToken, organization, patient] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });

const capabilities = await client.capabilityStatement();
const created = await client.create({
  resourceType: "Patient",
  body: {
    resourceType: "Patient",
    name: [{ family: "Kit", given: ["Client"] }],
    managingOrganization: { reference: `Organization/${organization}` },
  },
});
const read = await client.read({ resourceType: "Patient", id: created.id });
const updated = await client.update({ resourceType: "Patient", id: created.id, body: { ...read, gender: "other" } });
const patched = await client.patch({
  resourceType: "Patient",
  id: created.id,
  jsonPatch: [{ op: "add", path: "/birthDate", value: "1980-05-17" }],
});
const versions = await client.resourceHistory({ resourceType: "Patient", id: created.id });
const first = await client.vread({ resourceType: "Patient", id: created.id, version: "1" });
const byName = await client.resourceSearch({ resourceType: "Patient", searchParams: { family: "Kit" } });

const pages = [];
let page = await client.resourceSearch({
  resourceType: "Observation",
  searchParams: { patient, _count: 20 },
});
while (page) {
  pages.push(page.entry?.length ?? 0);
  page = pages.length < 4 ? await client.nextPage({ bundle: page }) : undefined;
}
const posted = await client.resourceSearch({
  resourceType: "Patient",
  searchParams: { family: "Kit" },
  options: { postSearch: true },
});
const compartment = await client.compartmentSearch({
  resourceType: "Observation",
  compartment: { resourceType: "Patient", id: patient },
  searchParams: { _summary: "count" },
});
const batch = await client.batch({
  body: {
    resourceType: "Bundle",
    type: "batch",
    entry: [{ request: { method: "GET", url: `Patient/${created.id}` } }],
  },
});
let refusal = 0;
try {
  await client.read({ resourceType: "Patient", id: "1" });
} catch (error) {
  refusal = error.response.status;
}
await client.delete({ resourceType: "Patient", id: created.id });

console.log(
  JSON.stringify({
    types: capabilities.rest[0].resource.map(({ type }) => type),
    created: created.name,
    gender: updated.gender,
    birthDate: patched.birthDate,
    versions: versions.entry.map(({ resource }) => resource.meta.versionId),
    first: first.gender ?? null,
    byName: byName.entry.map(({ resource }) => resource.id === created.id),
    posted: posted.entry.length,
    pages,
    compartment: compartment.total,
    batch: batch.entry[0].response.status,
    refusal,
  }),
);
