import { PolicyPack, type PolicyResource, type ResourceValidationArgs } from "@pulumi/policy";
import {
  hasAllowList,
  isProduction,
  isProtected,
  leavesOut,
  noApiRole,
  openProjectIsReviewed,
  type Declared,
} from "./rules";

/** Which stacks are production. Each policy that asks has this setting. */
const PRODUCTION = {
  production: {
    type: "string",
    description: "Regular expression over names of stacks.",
    default: "^prod",
  },
} as const;

function declared({ type, name, props, opts }: ResourceValidationArgs | PolicyResource): Declared {
  return { type, name, props, protect: opts.protect };
}

/** Whether the stack of a resource is production: the name of the stack is the third part of every URN. */
function inProduction({ urn }: { readonly urn: string }, pattern: string): boolean {
  return isProduction(urn.split(":")[2] ?? "", pattern);
}

/** Applies a rule to every resource of stacks in production. */
function inProductionOnly(rule: (declared: Declared) => string[]) {
  return (args: ResourceValidationArgs, report: (message: string) => void): void => {
    const { production } = args.getConfig<{ production: string }>();
    if (inProduction(args, production))
      rule(declared(args)).forEach((message) => {
        report(message);
      });
  };
}

new PolicyPack("neon-bemi", {
  enforcementLevel: "mandatory",
  policies: [
    {
      name: "no-api-role",
      description: "In production, Bemi connects with a read-only role.",
      configSchema: { properties: PRODUCTION },
      validateResource: inProductionOnly(noApiRole),
    },
    {
      name: "protected",
      description: "In production, a trail is protected from deletion.",
      configSchema: { properties: PRODUCTION },
      validateResource: inProductionOnly(isProtected),
    },
    {
      name: "allow-list",
      description: "In production, a project with a trail restricts who can connect.",
      configSchema: { properties: PRODUCTION },
      validateStack: (args, report) => {
        const { production } = args.getConfig<{ production: string }>();
        const inScope = args.resources.filter((resource) => inProduction(resource, production));
        hasAllowList(inScope.map(declared)).forEach((message) => {
          report(message);
        });
      },
    },
    {
      name: "open-project-reviewed",
      description: "restrictOpenProject is used only after a review.",
      configSchema: {
        properties: {
          reviewedProjects: { type: "array", items: { type: "string" }, default: [] },
        },
      },
      validateResource: (args, report) => {
        const { reviewedProjects } = args.getConfig<{ reviewedProjects: string[] }>();
        openProjectIsReviewed(declared(args), reviewedProjects).forEach((message) => {
          report(message);
        });
      },
    },
    {
      name: "untracked-tables",
      description: "Tables whose content must not leave the database are not tracked.",
      configSchema: {
        properties: {
          tables: {
            type: "array",
            items: { type: "string" },
            description: "Patterns such as auth.* or public.*_token.",
            default: [],
          },
        },
      },
      validateResource: (args, report) => {
        const { tables } = args.getConfig<{ tables: string[] }>();
        leavesOut(declared(args), tables).forEach((message) => {
          report(message);
        });
      },
    },
  ],
});
