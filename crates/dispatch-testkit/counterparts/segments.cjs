// Twilio's own calculator of segments: a JSON list of texts on standard input, their encoding and parts on standard output.
// Argument: the folder that has node_modules.

const { createRequire } = require("node:module");
const { SegmentedMessage } = createRequire(process.argv[2] + "/")("sms-segments-calculator");

let input = "";
process.stdin.on("data", (chunk) => (input += chunk));
process.stdin.on("end", () => {
  const told = JSON.parse(input).map((text) => {
    const message = new SegmentedMessage(text);
    return { encoding: message.encodingName, parts: message.segmentsCount };
  });
  console.log(JSON.stringify(told));
});
