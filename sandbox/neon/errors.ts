/** An error answer in the form of Neon's `GeneralError`: `{request_id, code, message}`. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /** @param code Neon's API document allows any text; it is mostly empty */
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** @param kind of the object, e.g. `branch` */
export function notFound(kind: string, name: string): ApiError {
  return new ApiError(404, `${kind} not found: ${name}`);
}

/** The message is the one that Neon's own tests quote. */
export function locked(): ApiError {
  return new ApiError(
    423,
    "project already has running conflicting operations, scheduling of new ones is prohibited",
  );
}
