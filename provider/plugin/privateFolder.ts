import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  unlinkSync,
  writeSync,
  type Stats,
} from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Largest file that is read or written, in bytes. */
const LARGEST = 1_000;

/** Never follow a symbolic link. Windows has no such flag, and lets only administrators make links. */
const NO_FOLLOW = process.platform === "win32" ? 0 : constants.O_NOFOLLOW;

/** Names of files that another class chooses: no separators, no dots. */
const NAME = /^[0-9a-z-]{1,100}$/;

/**
 * A folder for small files that no other user of the machine can read, replace or plant. Each method first makes sure of
 * that: the folder and everything above it belong to this user or to root, and nobody else may rename or replace any of
 * them. If it cannot be sure, the folder counts as empty and takes no file. It is for what is convenient to have, so no
 * method throws.
 *
 * Windows has neither owners nor modes in this sense. There, the folder is in the user's profile, which others cannot
 * write to.
 */
export class PrivateFolder {
  readonly #folder: string | undefined;
  readonly #user: number | undefined;

  /**
   * @param folder absolute path; `undefined` is a folder that is always empty
   * @param user id of the user whom the folder must belong to; default: the user of this process
   */
  constructor(folder: string | undefined, user = process.getuid?.()) {
    this.#folder = folder;
    this.#user = user;
  }

  /** Names of the files. Entries with other names, and everything that is no file of this user's, are left out. */
  names(): readonly string[] {
    return this.#safely([], (folder) =>
      readdirSync(folder).filter(
        (name) => NAME.test(name) && this.#isOwnFile(lstatSync(path.join(folder, name))),
      ),
    );
  }

  /** The content of a file, which is removed; `undefined` if there is no such file, or if it is not to be trusted. */
  take(name: string): string | undefined {
    return this.#safely(undefined, (folder) => {
      const file = this.#pathOf(folder, name);
      const descriptor = openSync(file, constants.O_RDONLY | NO_FOLLOW);
      try {
        const found = fstatSync(descriptor);
        if (!this.#isOwnFile(found) || found.size > LARGEST) return undefined;
        const content = readFileSync(descriptor, "utf8");
        unlinkSync(file);
        return content;
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** Writes a new file. A file of this name that exists stays as it is. */
  leave(name: string, content: string): void {
    if (Buffer.byteLength(content) > LARGEST) return;
    if (this.#folder !== undefined) makeFolder(this.#folder);
    this.#safely(undefined, (folder) => {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
      const descriptor = openSync(this.#pathOf(folder, name), flags, 0o600);
      try {
        writeSync(descriptor, content);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** When the file was written, in milliseconds since 1970; `undefined` if there is no such file. */
  writtenAt(name: string): number | undefined {
    return this.#safely(undefined, (folder) => lstatSync(this.#pathOf(folder, name)).mtimeMs);
  }

  /** Removes a file of this user's, and never what a link leads to. */
  remove(name: string): void {
    this.#safely(undefined, (folder) => {
      const file = this.#pathOf(folder, name);
      if (this.#isOwnFile(lstatSync(file))) unlinkSync(file);
    });
  }

  #pathOf(folder: string, name: string): string {
    if (!NAME.test(name)) throw new Error(`"${name}" is no name of a file in a private folder`);
    return path.join(folder, name);
  }

  /** Does the work in the folder if nobody else can interfere. Everything else that goes wrong is no reason to fail. */
  #safely<Result>(otherwise: Result, work: (folder: string) => Result): Result {
    try {
      return this.#folder !== undefined && this.#isPrivate(this.#folder) ? work(this.#folder) : otherwise;
    } catch {
      return otherwise;
    }
  }

  #isPrivate(folder: string): boolean {
    const { root, dir } = path.parse(folder);
    const found = lstatSync(folder);
    // Not a link: what a link leads to could change between this check and the work.
    if (!found.isDirectory() || realpathSync(dir) !== dir) return false;
    if (this.#user === undefined) return true;
    if (found.uid !== this.#user || (found.mode & 0o077) !== 0) return false;
    for (let above = dir; ; above = path.dirname(above)) {
      if (!this.#holdsItsEntries(lstatSync(above))) return false;
      if (above === root) return true;
    }
  }

  /** Whether nobody else can rename or remove this user's entries of a folder. */
  #holdsItsEntries({ uid, mode }: Stats): boolean {
    const sticky = (mode & 0o1000) !== 0;
    return (uid === this.#user || uid === 0) && ((mode & 0o022) === 0 || sticky);
  }

  /** A file with a second name could be somebody's who may not write to this folder. */
  #isOwnFile(found: Stats): boolean {
    if (!found.isFile() || found.nlink !== 1) return false;
    return this.#user === undefined || (found.uid === this.#user && (found.mode & 0o077) === 0);
  }
}

/**
 * Path of a folder of this user's for what need not outlive a login: in the runtime folder, otherwise in the folder for
 * caches. `undefined` if this user has neither, as in a container whose user has no home.
 */
export function privatePath(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { XDG_RUNTIME_DIR: runtime, XDG_CACHE_HOME: cache, LOCALAPPDATA: profile } = environment;
  const [parent] = [
    runtime,
    ...(process.platform === "win32" ? [profile] : [cache, homeCache(environment)]),
  ].filter((folder) => folder !== undefined && path.isAbsolute(folder));
  return parent === undefined ? undefined : path.join(path.normalize(parent), name);
}

function homeCache({ HOME }: Readonly<Record<string, string | undefined>>): string | undefined {
  try {
    // Throws for a user without an entry in the list of users, unless HOME is set.
    return path.join(HOME || homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache");
  } catch {
    return undefined;
  }
}

/** Makes the folder, and the one above it, such as `~/.cache`. Not `recursive`: below /proc, Node.js would never return. */
function makeFolder(folder: string): void {
  for (const each of [path.dirname(folder), folder]) {
    try {
      mkdirSync(each, { mode: 0o700 });
    } catch {
      // It exists, or cannot be made. The folder is looked at before each use.
    }
  }
}
