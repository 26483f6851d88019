import type { Session } from "../../provider/contract/session";

/** Matches the statement that changes replica identities, and no other statement of the provider. */
export const CHANGES_IDENTITIES = /^DO [\s\S]*REPLICA IDENTITY/;

/** Sends one statement with `send`, or does something else in its place. */
export type Send = <Row extends object>(
  statement: string,
  send: () => Promise<Row[]>,
  values: readonly unknown[] | undefined,
) => Promise<Row[]>;

/** The session with every statement of a handler passed through `around`, which may watch it, delay it or make it fail. */
export function watchedSession(session: Session, around: Send): Session {
  return {
    target: session.target,
    serverVersion: session.serverVersion,
    address: session.address,
    catalog: () => session.catalog(),
    freshCatalog: () => session.freshCatalog(),
    read: <Row extends object>(statement: string, values?: readonly unknown[]) =>
      around(statement, () => session.read<Row>(statement, values), values),
    write: <Row extends object>(statement: string, values?: readonly unknown[]) =>
      around(statement, () => session.write<Row>(statement, values), values),
  };
}
