import js from "@eslint/js";
import tseslint from "typescript-eslint";

const PACKAGE_STANDS_ALONE = {
  rooms: ["sandbox", "tools", "test", "bench"],
  message: "The package never depends on the sandbox, the tools or the tests.",
};

/**
 * The arrows between the rooms: what the files of a room may not import. Types are free where a room only needs to
 * name the shape of another room's data.
 */
function closed(files, arrows) {
  const patterns = arrows.flatMap(({ rooms, message, allowTypeImports = false }) =>
    rooms.map((room) => ({ regex: `^(\\.\\./)+${room}(/|$)`, message, allowTypeImports })),
  );
  return { files, rules: { "@typescript-eslint/no-restricted-imports": ["error", { patterns }] } };
}

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "coverage/"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // The strict preset forbids numbers in template strings; counts and ports belong in messages. Outputs stay forbidden.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Bracket access is what the compiler asks for on index signatures (noPropertyAccessFromIndexSignature).
      "@typescript-eslint/dot-notation": "off",
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
    },
  },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly" } },
  },
  {
    files: ["jest.config.js"],
    languageOptions: { sourceType: "commonjs" },
  },
  closed(
    ["components/**/*.ts"],
    [
      PACKAGE_STANDS_ALONE,
      {
        rooms: ["provider"],
        message: "Components declare; they may use the provider's types only.",
        allowTypeImports: true,
      },
    ],
  ),
  closed(
    ["provider/*.ts", "provider/postgres/**/*.ts"],
    [
      PACKAGE_STANDS_ALONE,
      { rooms: ["components"], message: "The provider does not know who declares its resources." },
    ],
  ),
  closed(
    ["provider/neon/**/*.ts"],
    [
      PACKAGE_STANDS_ALONE,
      { rooms: ["components"], message: "The provider does not know who declares its resources." },
      {
        rooms: ["postgres"],
        message: "provider/neon knows nothing of provider/postgres; the arrow points the other way.",
      },
    ],
  ),
  closed(
    ["sandbox/**/*.ts"],
    [
      {
        rooms: ["tools", "test", "bench", "provider", "components"],
        message: "The sandbox plays Neon and the server; it knows neither the package nor its tests.",
      },
    ],
  ),
);
