import { assertFresh } from "../provider/plugin/freshness";
import { runCommand } from "./program";

assertFresh();
void runCommand(process.argv.slice(2), process.env).then((code) => {
  process.exitCode = code;
});
