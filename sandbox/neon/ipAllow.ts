import { BlockList, isIP } from "node:net";

/** The settings of a project that decide who may connect. */
export interface IpRule {
  /** Entries of the IP Allow list. An empty list admits every address. */
  readonly ips: readonly string[];
  /** Whether the list restricts protected branches only. */
  readonly protectedBranchesOnly: boolean;
  /** Whether every connection from the internet is refused. */
  readonly blockPublicConnections: boolean;
}

/** Whether Neon's proxy would let a client address connect to a branch. */
export function admitsAddress(rule: IpRule, branchIsProtected: boolean, address: string): boolean {
  if (rule.blockPublicConnections) return false;
  if (rule.protectedBranchesOnly && !branchIsProtected) return true;
  return rule.ips.length === 0 || rule.ips.some((entry) => matches(entry, address));
}

/**
 * Whether an entry admits the address. An entry is an address, a CIDR block or a range `first-last`. As in Neon's
 * proxy, spaces are not trimmed, and an entry that cannot be parsed matches no address.
 */
function matches(entry: string, address: string): boolean {
  const family = familyOf(address);
  return family !== undefined && parse(entry)?.check(address, family) === true;
}

function parse(entry: string): BlockList | undefined {
  const list = new BlockList();
  try {
    const [first = "", last] = entry.split("-", 2);
    const [network = "", prefix] = entry.split("/", 2);
    if (last !== undefined && entry === `${first}-${last}`) {
      const family = familyOf(first);
      if (family === undefined || familyOf(last) !== family) return undefined;
      list.addRange(first, last, family);
    } else if (prefix !== undefined && entry === `${network}/${prefix}`) {
      const family = familyOf(network);
      if (family === undefined || !/^\d{1,3}$/.test(prefix)) return undefined;
      list.addSubnet(network, Number(prefix), family);
    } else {
      const family = familyOf(entry);
      if (family === undefined) return undefined;
      list.addAddress(entry, family);
    }
    return list;
  } catch {
    // The prefix is too long, or the range ends before it begins.
    return undefined;
  }
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : undefined;
}
