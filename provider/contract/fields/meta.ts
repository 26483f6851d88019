/** What a field says about itself besides its check: `.meta({ description, ... })`, always as the last call. */
declare module "zod" {
  interface GlobalMeta {
    /**
     * What leaving the field out means, where no default value says it; completes the sentence "Default: ...".
     * Every optional field has this or a default.
     */
    whenOmitted?: string;
    /**
     * Who fills the field in, so that users need not. `"resource"`: the class of the resource itself, and its arguments
     * lack the field. `"component"`: `BemiAuditTrail`, by an argument that is meant for nobody else.
     */
    filledInBy?: "resource" | "component";
    /** The value decides which resources are declared, so the program must know it: it cannot be a Pulumi `Input`. */
    plain?: true;
    /**
     * In TypeScript, the value may also be a resource of this class: `BemiAuditTrail` knows what to take of it. Programs in
     * other languages give an output of the resource.
     */
    resource?: "Branch";
    /** Only a change of the value matters: a preview can look at the rest while it is not known yet. */
    triggerOnly?: true;
    /** Pulumi keeps the output secret: encrypted in the state, hidden on the terminal. */
    secret?: true;
    /** Name of the exported TypeScript type of the values; without it the type is written where it is used. */
    typeName?: string;
  }
}

export {};
