/** Version of this package. A test keeps it equal to package.json, which the bundle does not carry. */
export const VERSION = "0.1.0";
