import js from "@eslint/js";
import tseslint from "typescript-eslint";
import { floors } from "./tools/rooms/rule.mjs";

export default tseslint.config(
  { ignores: ["dist/", "dist-release/", "node_modules/", "coverage/"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { rooms: { rules: { floors } } },
    rules: {
      "rooms/floors": "error",
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
    languageOptions: { globals: { process: "readonly", console: "readonly", fetch: "readonly" } },
  },
  {
    files: ["jest.config.js"],
    languageOptions: { sourceType: "commonjs" },
  },
  {
    files: ["components/**/*.ts"],
    rules: {
      // A program that declares resources must not load the handlers, which run in the plugin process. It checks
      // arguments itself, by the contract.
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "/provider/(?!contract/)", message: "Components declare.", allowTypeImports: true },
          ],
        },
      ],
    },
  },
);
