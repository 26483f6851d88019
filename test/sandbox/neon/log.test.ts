import { mask } from "../../../sandbox/neon/log";

test("masks passwords and keys everywhere, and keeps all types", () => {
  expect(
    mask({
      role: { name: "bemi", password: "hunter2" },
      connection_uris: [{ connection_uri: "postgresql://o:npg_abc@localhost:5432/db?sslmode=require" }],
      message: "login of npg_AbC123 with napi_0123abcd failed",
      count: 3,
      nothing: null,
    }),
  ).toEqual({
    role: { name: "bemi", password: "[masked]" },
    connection_uris: [{ connection_uri: "postgresql://o:[masked]@localhost:5432/db?sslmode=require" }],
    message: "login of [masked] with [masked] failed",
    count: 3,
    nothing: null,
  });
});
