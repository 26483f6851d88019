import { connectionError } from "../../../provider/postgres/session/connection";
import { loginFailure, patienceAfter } from "../../../provider/postgres/session/loginFailure";

/** SQLSTATE from PostgreSQL, message, failure. Behind Neon's proxy the SQLSTATE of each is XX000. */
const CASES = [
  ["28P01", 'password authentication failed for user "bemi"', "wrong password"],
  ["28P01", "password authentication failed for user 'bemi'", "wrong password"],
  ["28000", 'role "bemi" is not permitted to log in', "role may not log in"],
  ["42501", 'permission denied for database "neondb"', "no privilege on database"],
  ["3D000", 'database "neondb" does not exist', "no such database"],
  ["57P03", "the database system is starting up", "starting"],
  ["57P03", "the database system is not yet accepting connections", "starting"],
  ["57P01", "terminating connection due to administrator command", "starting"],
  ["XX000", "Couldn't connect to compute node", "starting"],
  ["53300", 'too many connections for role "bemi"', "no free connection"],
  ["53300", "sorry, too many clients already", "no free connection"],
  [
    "53300",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "no free connection",
  ],
  ["XX000", "Too many connections to this endpoint. Please try again later.", "no free connection"],
  [
    "XX000",
    "This IP address 127.0.0.1 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console.",
    "address refused",
  ],
] as const;

const LOGIN = { host: "db.example", port: 5432, database: "neondb", user: "bemi", password: "secret" };

describe.each(CASES)("%s %s", (code, message, failure) => {
  test("is recognised by its SQLSTATE, and by its words behind Neon's proxy", () => {
    expect(loginFailure({ code, message: code === "XX000" ? message : "in another language" })).toBe(failure);
    expect(loginFailure({ code: "XX000", message })).toBe(failure);
  });

  test("has the same error for the user either way", () => {
    const [direct, behindProxy] = [code, "XX000"].map(
      (each) => connectionError({ code: each, message }, LOGIN).message,
    );
    expect(behindProxy).toBe(direct);
    expect(direct).toMatch(/db\.example:5432.* [a-z].*\.$/);
    expect(direct).not.toContain("XX000");
  });
});

test("does not take the words of other errors for a failure of the login", () => {
  expect(loginFailure({ code: "42P01", message: 'database "x" does not exist' })).toBeUndefined();
  expect(loginFailure({ code: "XX000", message: "tuple concurrently updated" })).toBeUndefined();
  expect(loginFailure(new Error("socket hang up"))).toBeUndefined();
});

test("waits only for what passes by itself", () => {
  const failures = [...new Set(CASES.map(([, , failure]) => failure))];
  expect(failures.filter((each) => patienceAfter(each) > 0)).toEqual(["starting", "no free connection"]);
});

test("says what to do about a connection limit", () => {
  const error = connectionError({ code: "XX000", message: 'too many connections for role "bemi"' }, LOGIN);
  expect(error.message).toBe(
    'db.example:5432 has no free connection: too many connections for role "bemi". ' +
      "Close some, or raise the compute's size or the role's CONNECTION LIMIT, and run again.",
  );
});
