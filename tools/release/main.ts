import path from "node:path";
import { release } from "./release";

/** `npm run release`: builds what a release publishes besides the npm package, into dist-release. */
export async function main(): Promise<number> {
  const project = process.cwd();
  const { folder, archives } = await release(project, path.join(project, "dist-release"));
  const show = (file: string): string => `  ${path.relative(project, file)}`;
  console.log(["The plugin, to be named by its path:", show(folder)].join("\n"));
  console.log(["The plugin, to be installed or put on a plugin server:", ...archives.map(show)].join("\n"));
  return 0;
}
