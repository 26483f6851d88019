import { readFileSync } from "node:fs";
import Ajv, { type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";

/** One request and its answer, as in a line of the sandbox's request log. */
export interface Exchange {
  readonly method: string;
  /** Without the API prefix, e.g. `/projects/cool-sun-12345678`. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  /** `null`: without a body. */
  readonly requestBody: unknown;
  /** `null`: the connection was cut before there was an answer. */
  readonly status: number | null;
  /** `null`: without a body. */
  readonly responseBody: unknown;
}

/** How an exchange departs from Neon's OpenAPI document. Both lists are empty when it conforms. */
export interface Violations {
  readonly request: readonly string[];
  readonly response: readonly string[];
}

type Schema = Readonly<Record<string, unknown>>;

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly parameters?: readonly Schema[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Schema>>;
}

type PathItem = Readonly<Record<string, Operation | undefined>> & {
  readonly parameters?: readonly Schema[];
};

interface Document {
  readonly paths: Readonly<Record<string, PathItem>>;
}

interface Template {
  readonly path: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly item: PathItem;
}

const document = parse(
  readFileSync(require.resolve("@neondatabase/api-client/public-v2-for-users.gen.yaml"), "utf8"),
) as Document;

/** Paths with fewer parameters first, so that `/projects/shared` is not taken for a project. */
const templates = Object.entries(document.paths)
  .map(([path, item]): Template => {
    const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = ""]) => name);
    return { path, pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, "([^/]+)")}$`), names, item };
  })
  .sort((one, other) => one.names.length - other.names.length);

/** Compares an exchange with the document. A field that the document does not know counts as a violation. */
export function violations(exchange: Exchange): Violations {
  const template = templates.find(({ pattern }) => pattern.test(exchange.path));
  const operation = template?.item[exchange.method.toLowerCase()];
  if (template === undefined || operation === undefined)
    return { request: [`${exchange.method} ${exchange.path} is not in the document`], response: [] };
  const key = `${exchange.method} ${template.path}`;
  return {
    request: [
      ...parameterViolations(key, template, operation, exchange),
      ...bodyViolations(key, operation, exchange.requestBody),
    ],
    response: exchange.status === null ? [] : answerViolations(key, operation, exchange.status, exchange),
  };
}

function parameterViolations(
  key: string,
  template: Template,
  operation: Operation,
  exchange: Exchange,
): string[] {
  const declared = [...(template.item.parameters ?? []), ...(operation.parameters ?? [])].map(
    (parameter) => resolved(parameter) as unknown as Parameter,
  );
  const [, ...values] = template.pattern.exec(exchange.path) ?? [];
  const path = Object.fromEntries(
    template.names.map((name, index) => [name, decodeURIComponent(values[index] ?? "")]),
  );
  return [
    ...check(fromText, `${key} path`, () => parameterSchema(declared, "path"), path),
    ...check(fromText, `${key} query`, () => parameterSchema(declared, "query"), { ...exchange.query }),
  ];
}

function parameterSchema(declared: readonly Parameter[], place: string): Schema {
  const here = declared.filter((parameter) => parameter.in === place);
  return {
    type: "object",
    properties: Object.fromEntries(here.map(({ name, schema }) => [name, closed(schema)])),
    required: here.filter(({ required }) => required === true).map(({ name }) => name),
    additionalProperties: false,
  };
}

function bodyViolations(key: string, operation: Operation, body: unknown): string[] {
  const schema = schemaOf(operation.requestBody);
  if (body === null) return operation.requestBody?.required === true ? [`${key}: the body is missing`] : [];
  if (schema === undefined) return [`${key}: takes no body`];
  return check(asSent, `${key} body`, () => closed(schema), body);
}

function answerViolations(
  key: string,
  operation: Operation,
  status: number,
  { responseBody }: Exchange,
): string[] {
  const declared =
    operation.responses[status] ?? (status >= 400 ? operation.responses["default"] : undefined);
  if (declared === undefined) return [`${key}: status ${status} is not in the document`];
  const schema = schemaOf(resolved(declared));
  if (schema === undefined) return responseBody === null ? [] : [`${key}: ${status} has no body`];
  return check(asSent, `${key} ${status}`, () => closed(schema), responseBody);
}

function schemaOf(holder: Content | undefined): Schema | undefined {
  return holder?.content?.["application/json"]?.schema;
}

const asSent = newAjv(false);
/** Turns a parameter, which is sent as text, into the type that the document gives it. */
const fromText = newAjv(true);
const compiled = new Map<string, ValidateFunction>();

function newAjv(coerceTypes: boolean): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes });
  addFormats(ajv);
  ajv.addFormat("int", { type: "number", validate: Number.isInteger });
  ajv.addFormat("uint64", {
    type: "number",
    validate: (value: number) => Number.isInteger(value) && value >= 0,
  });
  return ajv;
}

function check(ajv: Ajv, key: string, schema: () => Schema, value: unknown): string[] {
  let validate = compiled.get(key);
  if (validate === undefined) {
    validate = ajv.compile(schema());
    compiled.set(key, validate);
  }
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${key}${error.instancePath}: ${describe(error)}`);
}

function describe({ message = "is not valid", params }: ErrorObject): string {
  const extra: unknown = params["additionalProperty"];
  return typeof extra === "string" ? `${message}: ${extra}` : message;
}

/** The value that a `$ref` refers to; any other value unchanged. */
function resolved(schema: Schema): Schema {
  const reference = schema["$ref"];
  if (typeof reference !== "string") return schema;
  const steps = reference.replace(/^#\//, "").split("/");
  const target = steps.reduce<unknown>((value, step) => (value as Schema)[step], document);
  return resolved(target as Schema);
}

/**
 * The schema with references filled in, `allOf` merged into one object, and undeclared fields forbidden. JSON Schema
 * itself cannot forbid them in an `allOf`, because additionalProperties applies to one branch only.
 */
function closed(schema: unknown): Schema {
  const { allOf, ...own } = resolved(schema as Schema);
  const parts = [own, ...((allOf as Schema[] | undefined) ?? []).map(closed)];
  const merged = Object.assign({}, ...[...parts].reverse()) as Record<string, unknown>;
  const properties = Object.assign({}, ...parts.map((part) => part["properties"])) as Schema;
  if (Object.keys(properties).length > 0) {
    merged["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [name, closed(inner)]),
    );
    merged["required"] = parts.flatMap((part) => (part["required"] as string[] | undefined) ?? []);
    merged["additionalProperties"] = own["additionalProperties"] ?? false;
  }
  if (merged["items"] !== undefined) merged["items"] = closed(merged["items"]);
  for (const word of ["oneOf", "anyOf"])
    if (Array.isArray(merged[word])) merged[word] = merged[word].map(closed);
  const values = merged["additionalProperties"];
  if (typeof values === "object" && values !== null) merged["additionalProperties"] = closed(values);
  return merged;
}
