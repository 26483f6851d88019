import * as z from "zod";

// At the first use of a schema, zod would generate code for it. One command checks each schema a few times, which takes
// less time than generating. It must be said before the first schema is made, so programs import this file first.
z.config({ jitless: true });
