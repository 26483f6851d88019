import * as pulumi from "@pulumi/pulumi";
import { RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb";
import { secretsOf, type Definition } from "../provider/contract/definition";
import { providerInputs } from "../provider/contract/provider";
import { fieldsOf } from "../provider/contract/schema";
import { checkArguments } from "./arguments";
import { warnWithoutPlugin } from "./plugin";

// Pulumi's SDK writes every answer of the engine into its debug log, `${response}`, with all outputs in it and secret
// ones in plain text: `pulumi up -v=7 --logtostderr` and `--event-log` would show the role's password. The name of
// the resource is all that this line has to say.
RegisterResourceResponse.prototype.toString = function (this: RegisterResourceResponse) {
  return this.getUrn();
};

/** Name of the package, by which the engine finds the plugin. */
const PACKAGE = "neon-bemi";

/** The token by which the engine, state and other languages know a class. */
export function typeToken(type: string): string {
  return `${PACKAGE}:index:${type}`;
}

/** A `Definition` of the contract, in a type that does not make the compiler of a program read all of zod's. */
interface Defined {
  readonly type: string;
  readonly inputs: object;
  readonly outputs: object;
}

/** A resource that this package's plugin manages. */
export abstract class NeonBemiResource extends pulumi.CustomResource {
  protected constructor(
    defined: Defined,
    name: string,
    args: pulumi.Inputs,
    opts: pulumi.CustomResourceOptions | undefined,
  ) {
    const { type, inputs, outputs, readBack } = defined as Definition;
    checkArguments({ type, inputs }, name, args);
    warnWithoutPlugin();
    // What is named here becomes an output of the object, unknown in a preview unless the plugin knows it.
    const properties = [...readBack, ...Object.keys(fieldsOf(outputs))];
    super(
      typeToken(type),
      name,
      { ...Object.fromEntries(properties.map((property) => [property, undefined])), ...args },
      pulumi.mergeOptions({ additionalSecretOutputs: secretsOf(outputs) }, opts),
    );
  }
}

/** A provider of this package with a configuration of its own. */
export abstract class NeonBemiProvider extends pulumi.ProviderResource {
  protected constructor(name: string, args: pulumi.Inputs, opts: pulumi.ResourceOptions | undefined) {
    checkArguments({ type: "Provider", inputs: providerInputs }, name, args);
    warnWithoutPlugin();
    const secrets = secretsOf(providerInputs);
    super(
      PACKAGE,
      name,
      Object.fromEntries(
        Object.entries(args).map(([key, value]) => [
          key,
          secrets.includes(key) && value !== undefined ? pulumi.secret(value) : value,
        ]),
      ),
      pulumi.mergeOptions({ additionalSecretOutputs: secrets }, opts),
    );
  }
}
