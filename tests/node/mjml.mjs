// Compiles MJML with npm's mjml in strict mode. Reads one JSON object a line, {"mjml": …}, and answers each
// with one line: {"html": …, "ms": …} where it is valid, {"errors": […]} where it is not.

import { createInterface } from "node:readline";
import mjml2html from "mjml";

for await (const line of createInterface({ input: process.stdin })) {
  const began = performance.now();
  let answer;
  try {
    const { html } = await mjml2html(JSON.parse(line).mjml, { validationLevel: "strict" });
    answer = { html, ms: performance.now() - began };
  } catch (error) {
    answer = { errors: error.errors?.map(({ line, tagName, message }) => `line ${line}, ${tagName}: ${message}`) ?? [String(error)] };
  }
  console.log(JSON.stringify(answer));
}
