import type { DatabaseAccess } from "./postgres";
import { TARGET, testRun } from "./run";
import { traffic, type Traffic } from "./serverLoad";
import { Trail, type TrailArgs } from "./trail";

/** What the server is asked by each operation on a trail. */
export interface TrailTraffic {
  readonly up: Traffic;
  readonly refresh: Traffic;
  readonly destroy: Traffic;
}

/**
 * An engine for what a trail costs: every phase has one plugin process, as under Pulumi, and an up works on every
 * resource, whether or not it has to.
 */
export function measuredTrail(db: DatabaseAccess): Trail {
  return new Trail(() => testRun(db), {}, { processPer: "phase", refreshes: false, updatesAll: true });
}

/** The arguments of a trail for all tables of schema `public`. */
export const ALL_PUBLIC: TrailArgs = { ...TARGET, schemas: ["public"], dropSlotOnDestroy: false };

/** What Pulumi keeps of the trail, as JSON: the inputs of every resource, and its outputs, which repeat the inputs. */
export function stateText(trail: Trail): string {
  const state = Object.values(trail.state).map(({ inputs, outputs }) => ({
    inputs,
    outputs: { ...inputs, ...outputs },
  }));
  return JSON.stringify(state);
}

/** Creates a trail, reads it and deletes it, each in a plugin process of its own. */
export async function trailTraffic(db: DatabaseAccess): Promise<TrailTraffic> {
  const trail = measuredTrail(db);
  const up = await traffic(db, () => trail.up(ALL_PUBLIC));
  const refresh = await traffic(db, () => trail.refresh());
  const destroy = await traffic(db, () => trail.destroy());
  return { up, refresh, destroy };
}
