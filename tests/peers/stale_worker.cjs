// Who lets a stale worker close another's run? Worker A takes a job and stops past its timeout, worker B
// is given the job, A wakes up and finishes, then B finishes. Both peers document at-least-once
// delivery, so that B is given the job is fine; the question is what A's finish does to B's run.
//
// node stale_worker.cjs pg-boss|graphile-worker POSTGRES_URL
//
// Prints {"peer", "version", "given_to_both", "stale_finish_closed_it", "rightful_finish_counted"}.
'use strict';

const { Client } = require('pg');

async function pgBoss(url) {
  const PgBoss = require('pg-boss');
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false });
  await boss.start();
  await boss.createQueue('calls', { policy: 'standard' });
  const id = await boss.send('calls', { lead: 1 }, { expireInSeconds: 1, retryLimit: 3, retryDelay: 0 });
  const [byA] = await boss.fetch('calls');
  // A stops for longer than the second that it has.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  // What a running pg-boss does every minute.
  await boss.maintain();
  const [byB] = await boss.fetch('calls');
  const stale = await boss.complete('calls', byA.id, { by: 'A' });
  const db = new Client({ connectionString: url });
  await db.connect();
  const state = async () => (await db.query('SELECT state FROM pgboss.job WHERE id = $1', [id])).rows[0].state;
  const afterA = await state();
  const rightful = await boss.complete('calls', byB.id, { by: 'B' });
  await db.end();
  await boss.stop({ graceful: false });
  return {
    version: require('pg-boss/package.json').version,
    given_to_both: byA.id === byB.id,
    stale_finish_closed_it: stale.affected === 1 && afterA === 'completed',
    rightful_finish_counted: rightful.affected === 1,
  };
}

async function graphile(url) {
  const { run, Logger } = require('graphile-worker');
  const db = new Client({ connectionString: url });
  await db.connect();
  const quiet = new Logger(() => () => {});
  const gate = () => { let open; const opened = new Promise((resolve) => { open = resolve; }); return { open, opened }; };
  const worker = async () => {
    const [took, resume] = [gate(), gate()];
    const task = async (_, { job }) => { took.open(job.id); await resume.opened; };
    const runner = await run({
      connectionString: url, concurrency: 1, pollInterval: 100, noHandleSignals: true, logger: quiet,
      taskList: { call: task },
    });
    return { runner, took, resume };
  };
  const a = await worker();
  await a.runner.addJob('call', { lead: 1 }, { maxAttempts: 5 });
  const byA = await a.took.opened;
  // A stops for five hours; a lock counts for four. The clock of the row is set back instead.
  await db.query("UPDATE graphile_worker._private_jobs SET locked_at = now() - interval '5 hours' WHERE id = $1", [byA]);
  const b = await worker();
  // What a running worker does every few minutes, in its own words.
  await db.query("UPDATE graphile_worker._private_jobs SET locked_at = NULL, locked_by = NULL, run_at = greatest(run_at, now()) WHERE locked_at < now() - interval '4 hours'");
  const byB = await b.took.opened;
  const count = async () => Number((await db.query('SELECT count(*) FROM graphile_worker._private_jobs WHERE id = $1', [byA])).rows[0].count);
  const settled = async (runner) => {
    runner.resume.open();
    await runner.runner.stop();
  };
  const before = await count();
  await settled(a);
  const afterA = await count();
  await settled(b);
  await db.end();
  return {
    version: require('graphile-worker/package.json').version,
    given_to_both: byA === byB,
    stale_finish_closed_it: before === 1 && afterA === 0,
    // B's finish deletes a row, or finds none.
    rightful_finish_counted: afterA === 1,
  };
}

const [peer, url] = process.argv.slice(2);
({ 'pg-boss': pgBoss, 'graphile-worker': graphile })[peer](url)
  .then((found) => { console.log(JSON.stringify({ peer, ...found })); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
