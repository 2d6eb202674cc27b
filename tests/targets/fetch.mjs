// Makes the requests of a plan with fetch, for node and bun: fetch.mjs PLAN.json [parallel]. Prints the bytes it has read.
import { readFileSync } from "node:fs";

const [file, how] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(file, "utf8"));
let total = 0;

async function one({ method, url, body, headers }) {
  const response = await fetch(url, { method, headers, body: body === null ? undefined : body });
  const content = await response.arrayBuffer();
  total += content.byteLength;
}

if (how === "parallel") await Promise.all(plan.map(one));
else for (const request of plan) await one(request);
console.log(total);
