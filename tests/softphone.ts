// A rep's softphone: pulls a lead, shows who to call, records how the call went, goes on to the next.
// Usage: tsx softphone.ts SERVER TOKEN_FILE    (the token of a rep; needs @grpc/grpc-js, @grpc/proto-loader)
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [server, tokenFile] = process.argv.slice(2);
const options = { keepCase: true, longs: String, enums: String, includeDirs: ["proto"] };
const api = loadPackageDefinition(loadSync("nextlead/v1/rep_service.proto", options)) as any;
const reps = new api.nextlead.v1.RepService(server, credentials.createInsecure()); // with TLS: createSsl
const metadata = new Metadata();
metadata.set("authorization", `Bearer ${readFileSync(tokenFile, "utf8").trim()}`);
const call = (method: string, request: object): Promise<any> =>
  new Promise((done, failed) =>
    reps[method](request, metadata, (error: Error | null, answer: any) => (error ? failed(error) : done(answer))));
const now = () => ({ seconds: Math.floor(Date.now() / 1000), nanos: (Date.now() % 1000) * 1_000_000 });

async function work() {
  const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  // The wait may be up to 60 seconds: a fresh lead reaches an idle rep at once.
  let { served } = await call("NextLead", { request_id: randomUUID(), wait_duration: { seconds: 2 } });
  while (served) {
    const { lead, lease_token } = served, number = lead.numbers[0].number;
    const start_time = now();
    console.log(`call ${lead.name} on ${number}:`);
    const said = (await input.next()).value as string; // no_answer, sale, ...
    const recorded = await call("RecordTouch", {
      lead: { lead_id: lead.lead_id }, lease_token, touch_id: randomUUID(), number, then_next: true,
      channel: "CHANNEL_CALL", direction: "DIRECTION_OUTBOUND", start_time, end_time: now(),
      disposition: `DISPOSITION_${said.trim().toUpperCase()}`,
    });
    console.log(`now ${Object.keys(recorded.state.standing)[0]}`);
    served = recorded.next_served;
  }
  console.log("nothing to call");
}

work().then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });
