import { randomBytes, randomInt } from "node:crypto";

const ADJECTIVES =
  "amber bold calm cool damp dry faint green late lucky misty old plain quiet still warm".split(" ");
const NOUNS = "bar bird brook cloud dew field fire frost hill lake leaf meadow moon pond rain sun".split(" ");

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? "";
}

function words(): string {
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}`;
}

function digits(count: number): string {
  return Array.from({ length: count }, () => randomInt(10)).join("");
}

function characters(alphabet: string, count: number): string {
  return Array.from({ length: count }, () => alphabet[randomInt(alphabet.length)]).join("");
}

const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789";
const ALPHANUMERIC = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

export function newProjectId(): string {
  return `${words()}-${digits(8)}`;
}

/** `br-` and three parts. Neon's command line client takes any other text for the name of a branch. */
export function newBranchId(): string {
  return `br-${words()}-${characters(LOWER, 8)}`;
}

export function newEndpointId(): string {
  return `ep-${words()}-${characters(LOWER, 8)}`;
}

export function newOrganizationId(): string {
  return `org-${words()}-${digits(8)}`;
}

/** A password for a role, with Neon's prefix and more than the 60 bits of entropy that Neon requires. */
export function newPassword(): string {
  return `npg_${characters(ALPHANUMERIC, 16)}`;
}

export function newApiKey(): string {
  return `napi_${randomBytes(24).toString("hex")}`;
}

export function newDatabaseId(): number {
  return randomInt(1_000_000, 1_000_000_000);
}
