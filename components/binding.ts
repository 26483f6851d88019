import * as pulumi from "@pulumi/pulumi";
import { RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb";

// Pulumi's SDK writes every answer of the engine into its debug log, `${response}`, with all outputs in it and secret
// ones in plain text: `pulumi up -v=7 --logtostderr` and `--event-log` would show the role's password. The name of
// the resource is all that this line has to say.
RegisterResourceResponse.prototype.toString = function (this: RegisterResourceResponse) {
  return this.getUrn();
};

/**
 * The text by which the engine's plugin process finds a handler: it loads the installed package from the folder of
 * Pulumi.yaml. State holds this line only; the installed code always runs, also on refresh and destroy.
 *
 * Where it cannot be found (the error has a code), the hint is `npm install`: the package is missing or, in this
 * repository, not built. Checks hold the line under 200 characters.
 */
export function providerReference(handler: string): string {
  return (
    'exports.handler=()=>{try{return require("module").createRequire(process.cwd()+"/")' +
    `("pulumi-neon-bemi/provider").${handler}}` +
    'catch(e){if(e.code)e.message+=" - npm install?";e.stack="";throw e}}'
  );
}

/** What a generated class says about its resource. */
interface Binding {
  /** Name of the class, as in the type token. */
  readonly type: string;
  /** All properties that the class has as outputs; those that are no inputs are unknown in a preview. */
  readonly outputs: readonly string[];
  /** Outputs that Pulumi keeps secret. */
  readonly secrets: readonly string[];
  /** Inputs that are filled in here, because users need not know them. */
  readonly filledIn: readonly "managedBy"[];
}

/** A resource served by this package's provider through Pulumi's bundled dynamic-provider plugin. */
export abstract class NeonBemiResource extends pulumi.CustomResource {
  protected constructor(
    binding: Binding,
    name: string,
    args: pulumi.Inputs,
    opts: pulumi.CustomResourceOptions | undefined,
  ) {
    const { type, outputs, secrets, filledIn } = binding;
    const handler = type.charAt(0).toLowerCase() + type.slice(1);
    super(
      `pulumi-nodejs:dynamic/neon-bemi:${type}`,
      name,
      {
        ...Object.fromEntries(outputs.map((output) => [output, undefined])),
        ...args,
        ...Object.fromEntries(filledIn.map((input) => [input, managedBy(name)])),
        __provider: providerReference(handler),
      },
      pulumi.mergeOptions({ additionalSecretOutputs: [...secrets] }, opts),
    );
  }
}

/** How the ownership mark names a declaring resource: project, stack and the resource's own name. */
export function managedBy(name: string): string {
  return `${pulumi.getProject()}/${pulumi.getStack()}/${name}`;
}
