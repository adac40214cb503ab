// A PostgreSQL of one's own: that of the tests, tests/node/support/postgres.mjs. Here it syncs, as one that
// people run does.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { childrenOf, cpuOf } = require('./measure.js')

/** The tests set the first two off, and the last word counts. */
const SETTINGS = ['fsync=on', 'full_page_writes=on', 'shared_buffers=128MB']

/** A server that runs. */
async function postgres() {
  const { Postgres } = await import('../tests/node/support/postgres.mjs')
  const server = await Postgres.start({ settings: SETTINGS })
  // The first value of the first row.
  const ask = async sql => (await server.ask(sql))[0]?.[0]
  const pid = Number(fs.readFileSync(path.join(server.directory, 'data/postmaster.pid'), 'utf8').split('\n')[0])
  return {
    version: (await ask('SHOW server_version')).split(' ')[0],
    url: schema => server.url(schema),
    ask,
    /** Seconds of CPU so far, of all its processes that live. */
    cpu: () => [pid, ...childrenOf(pid)].reduce((sum, one) => sum + cpuOf(one), 0),
    /** Where its log of changes ends, in bytes. */
    wal: async () => Number(await ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
    end: () => server.dispose(),
  }
}

module.exports = { postgres }
