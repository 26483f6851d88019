/** A refusal, answered as Neon's `GeneralError`: `{request_id, code, message}`. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /** @param code Neon's own is a free string, and mostly empty. */
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function notFound(what: string, name: string): ApiError {
  return new ApiError(404, `${what} not found: ${name}`);
}

/** Neon's wording, as its own tests quote it. */
export function locked(): ApiError {
  return new ApiError(
    423,
    "project already has running conflicting operations, scheduling of new ones is prohibited",
  );
}
