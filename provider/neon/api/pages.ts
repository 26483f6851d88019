import { UserError } from "../../contract/errors";

/** Most pages of one list that are read. A page of branches has up to 1,000 of them. */
const MOST_PAGES = 100;

/** One page of a list. */
interface Page<Item> {
  readonly items: readonly Item[];
  /** Cursor of the next page; empty or left out on the last one. */
  readonly next?: string;
}

/**
 * Reads a list page by page, until a page is empty or names no next one. A list that is cut short would be worse than an
 * error: what is not on it counts as gone.
 *
 * @param what names the list in the error
 * @throws UserError if a cursor comes again, or after 100 pages: such a list has no end
 */
export async function* pagesOf<Item>(
  what: string,
  read: (cursor: string | undefined) => Promise<Page<Item>>,
): AsyncGenerator<readonly Item[]> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let count = 0; count < MOST_PAGES; count++) {
    const { items, next } = await read(cursor);
    yield items;
    if (!next || items.length === 0) return;
    if (seen.has(next))
      throw new UserError(
        `Neon's list of ${what} has no end: page ${count + 1} leads back to an earlier one. Check NEON_API_URL, then run this again.`,
      );
    seen.add(next);
    cursor = next;
  }
  throw new UserError(`Neon's list of ${what} has more than ${MOST_PAGES} pages, which are not all read.`);
}
