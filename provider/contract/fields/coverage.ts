import * as z from "zod";
import { recordedTarget } from "./target";

/**
 * Outputs of the kinds that bring a set of tables into a condition: how many of the selected tables are in it. Counts
 * and a fingerprint, never a list of all tables, because the state must not grow with their number.
 */
export const coverageOutputs = {
  wanted: z.int().meta({ description: "Number of selected tables." }),
  done: z.int().meta({ description: "How many of the selected tables are as they should be." }),
  fingerprint: z.string().meta({
    description:
      "Changes whenever a selected table comes to be, or is no longer, as it should be. Tables that are tracked as soon as they are created do not change it.",
  }),
  pending: z.array(z.string()).readonly().meta({
    description: "The first few tables that are not as they should be, at most ten, each with the reason.",
  }),
  ...recordedTarget,
};
