// Makes the requests of a plan all at once, on one HTTP/2 connection of node: streams.mjs PLAN.json. Prints the bytes it has read.
import { readFileSync } from "node:fs";
import { connect } from "node:http2";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const session = connect(new URL(plan[0].url).origin, { maxSessionMemory: 100 }); // MB: large bodies wait in it
let total = 0;

function one({ method, url, body, headers }) {
  return new Promise((done, failed) => {
    const { pathname, search } = new URL(url);
    const stream = session.request({ ":method": method, ":path": pathname + search, ...headers }, { endStream: body === null });
    stream.on("data", (data) => { total += data.length; });
    stream.on("end", done);
    stream.on("error", failed);
    if (body !== null) stream.end(body);
  });
}

await Promise.all(plan.map(one));
session.close();
console.log(total);
