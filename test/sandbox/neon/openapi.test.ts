import { violations, type Exchange } from "../../support/openapi";

const role = {
  branch_id: "br-calm-sun-a1b2c3d4",
  name: "bemi",
  created_at: "2026-01-02T03:04:05Z",
  updated_at: "2026-01-02T03:04:05Z",
};
const good: Exchange = {
  method: "GET",
  path: "/projects/calm-sun-12345678/branches/br-calm-sun-a1b2c3d4/roles/bemi",
  query: {},
  requestBody: null,
  status: 200,
  responseBody: { role },
};

test("accepts an exchange that conforms to the document", () => {
  expect(violations(good)).toEqual({ request: [], response: [] });
});

test.each<[string, Partial<Exchange>, string]>([
  ["a missing field", { responseBody: { role: { ...role, name: undefined } } }, "name"],
  ["an unknown field", { responseBody: { role: { ...role, colour: "red" } } }, "colour"],
  ["a wrong type", { responseBody: { role: { ...role, protected: "no" } } }, "boolean"],
  ["a wrong format", { responseBody: { role: { ...role, created_at: "yesterday" } } }, "date-time"],
  ["an undocumented success", { status: 202 }, "202"],
  ["a body where there is none", { method: "DELETE", status: 204 }, "204 has no body"],
  ["an error of another shape", { status: 404, responseBody: { error: "x" } }, "message"],
])("reports %s in the answer", (_, change, expected) => {
  const found = violations({ ...good, ...change });
  expect(found.request).toEqual([]);
  expect(found.response.join("\n")).toContain(expected);
});

const create: Exchange = {
  ...good,
  method: "POST",
  path: "/projects/calm-sun-12345678/branches/br-calm-sun-a1b2c3d4/roles",
  requestBody: { role: { name: "bemi" } },
  status: null,
  responseBody: null,
};

test.each<[string, Partial<Exchange>, string]>([
  ["a missing body", { requestBody: null }, "missing"],
  ["an unknown field", { requestBody: { role: { name: "bemi", password: "x" } } }, "password"],
  ["a bad id", { path: create.path.replace("calm", "CALM") }, "pattern"],
  ["an unknown parameter", { query: { pooled: "true" } }, "pooled"],
  ["an unknown path", { path: "/project" }, "not in the document"],
])("reports %s in the request", (_, change, expected) => {
  expect(violations(create).request).toEqual([]);
  expect(violations({ ...create, ...change }).request.join("\n")).toContain(expected);
});

test("checks query parameters by their types, and merged schemas as one", () => {
  const list = { ...good, path: "/projects", query: { limit: "5" } };
  const empty = { projects: [], applications: {}, integrations: {}, pagination: { cursor: "x" } };
  expect(violations({ ...list, responseBody: empty })).toEqual({ request: [], response: [] });
  expect(violations({ ...list, query: { limit: "many" } }).request).toHaveLength(1);
  expect(violations({ ...list, responseBody: { ...empty, pagination: {} } }).response).toHaveLength(1);
});
