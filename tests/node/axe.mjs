// Opens pages in Chromium and has axe judge them. The arguments are chromium's path and a folder for its profile.
// Reads one JSON object a line, {"html": …, "views": [{"scheme": "light" | "dark", "width": pixels}, …],
// "disabled": [rule, …]}, and answers each with one line: a list for each view, of its violations,
// {"rule": …, "help": …, "nodes": [[html, why], …]}.
//
// Chromium is spoken to in its DevTools protocol over a pipe: JSON messages that end with a NUL.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const HEIGHT = 800;
const FLAGS = [
  "headless", "no-sandbox", "disable-gpu", "disable-quic", "disable-dev-shm-usage", "no-first-run", "hide-scrollbars",
  "disable-background-networking", "disable-component-update", "disable-sync", "no-proxy-server",
  "host-resolver-rules=MAP * ~NOTFOUND", // nothing is fetched: pictures stay away, as for a reader without them
  "remote-debugging-pipe",
];

const [chromium, profile] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = spawn(chromium, [...FLAGS.map((flag) => `--${flag}`), `--user-data-dir=${profile}`, "about:blank"], {
  stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
});
const [, , , orders, reports] = browser.stdio;
const waiting = new Map();
let count = 0;
let unread = "";

browser.on("exit", (code) => {
  if (waiting.size) {
    console.error(`chromium ended with ${code}`);
    process.exit(1);
  }
});
reports.setEncoding("utf8").on("data", (piece) => {
  const messages = (unread + piece).split("\0");
  unread = messages.pop();
  for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
    waiting.get(id)?.(error ? Promise.reject(new Error(error.message)) : result);
    waiting.delete(id);
  }
});

function order(method, params = {}, sessionId = undefined) {
  const id = ++count;
  orders.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  return new Promise((resolve) => waiting.set(id, resolve));
}

async function judge({ html, views, disabled }) {
  const { targetId } = await order("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await order("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => order(method, params, sessionId);
  const evaluate = async (expression) => {
    const { result, exceptionDetails: fault } = await page("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (fault) throw new Error(fault.exception?.description ?? fault.text);
    return result.value;
  };
  const { frameTree } = await page("Page.getFrameTree");
  await page("Page.setDocumentContent", { frameId: frameTree.frame.id, html });
  await evaluate(`${axe}; 0`);
  const rules = Object.fromEntries(disabled.map((rule) => [rule, { enabled: false }]));
  const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true }, ...rules } };
  const judged = [];
  for (const { scheme, width } of views) {
    await page("Emulation.setDeviceMetricsOverride", { width, height: HEIGHT, deviceScaleFactor: 1, mobile: false });
    await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const violations = await evaluate(`axe.run(${JSON.stringify(options)}).then(({ violations }) => violations)`);
    judged.push(violations.map(({ id, help, nodes }) => ({
      rule: id,
      help,
      nodes: nodes.map((node) => [node.html, node.failureSummary]),
    })));
  }
  await order("Target.closeTarget", { targetId });
  return judged;
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await judge(JSON.parse(line))));
await order("Browser.close");
