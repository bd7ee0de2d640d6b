// BullMQ as a contestant of the bench side_by_side: jobs with priorities in a Redis that syncs every
// write (`appendfsync always`), taken and finished by hand.
//
// node bullmq.cjs fill PORT COUNT      adds jobs and prints {"filled": COUNT}
// node bullmq.cjs run PORT REPS SECONDS    prints {"cycles_per_s", "p50_us", "p99_us", "p999_us"}
//
// A cycle is what the worker of the package does itself: moveToCompleted, which brings the next job in
// the same script. All loops share one connection, which suits Redis best.
'use strict';

const { Queue, Worker, Job } = require('bullmq');

const NAME = 'side-by-side';
const DATA = { note: 'x'.repeat(250) };

async function fill(connection, count) {
  const queue = new Queue(NAME, { connection });
  const redis = await queue.client;
  // Filling is not measured.
  await redis.config('SET', 'appendfsync', 'no');
  let random = 1;
  for (let first = 0; first < count; first += 2000) {
    const jobs = [];
    for (let nth = first; nth < Math.min(first + 2000, count); nth++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      jobs.push({ name: 'call', data: DATA, opts: { priority: 1 + (random >>> 12) } });
    }
    await queue.addBulk(jobs);
  }
  await redis.config('SET', 'appendfsync', 'always');
  await queue.close();
  console.log(JSON.stringify({ filled: count }));
}

async function run(connection, reps, seconds) {
  const worker = new Worker(NAME, null, { connection, autorun: false, concurrency: reps });
  worker.on('error', (error) => { throw error; });
  await worker.waitUntilReady();
  const redis = await worker.client;
  const [, sync] = await redis.config('GET', 'appendfsync');
  const [, isKept] = await redis.config('GET', 'appendonly');
  if (sync !== 'always' || isKept !== 'yes') throw new Error('this Redis does not sync every write');
  const times = [];
  let isOver = false;
  async function work(nth) {
    const token = `rep-${nth}`;
    let job = await worker.getNextJob(token, { block: false });
    while (!isOver && job) {
      const begun = process.hrtime.bigint();
      const next = await job.moveToCompleted('done', token, true);
      times.push(Number(process.hrtime.bigint() - begun) / 1000);
      job = next && next[0] ? Job.fromJSON(worker, next[0], next[1]) : undefined;
    }
    if (job) await job.moveToCompleted('done', token, false);
    else if (!isOver) throw new Error('the jobs are used up');
  }
  const begun = process.hrtime.bigint();
  const working = Array.from({ length: reps }, (_, nth) => work(nth));
  // Half a second warms up.
  await new Promise((resolve) => setTimeout(resolve, 500));
  times.length = 0;
  const from = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const took = Number(process.hrtime.bigint() - from) / 1e9;
  const measured = times.slice().sort((one, other) => one - other);
  isOver = true;
  await Promise.all(working);
  const at = (part) => Math.round(measured[Math.min(measured.length - 1, Math.floor(measured.length * part))]);
  console.log(JSON.stringify({
    cycles_per_s: measured.length / took, p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999),
  }));
  await worker.close(true);
}

const [what, port, ...numbers] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const [first, second] = numbers.map(Number);
(what === 'fill' ? fill(connection, first) : run(connection, first, second))
  .then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
