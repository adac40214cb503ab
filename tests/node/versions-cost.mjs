// What versions of a board cost: bytes in the data file and CPU a version, by how much was changed since the
// last one. Prints the table of docs/performance.md.
//   BOARDWIRE_BIN=../../target/release/boardwire node versions-cost.mjs [--shapes 5000] [--versions 8]
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { mixedRecords, putRecords } from '../browser/support/mixed.mjs'
import { Api } from './support/api.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

const { values: told } = parseArgs({ options: { shapes: { type: 'string', default: '5000' }, versions: { type: 'string', default: '8' } } })
const [shapes, versions] = [Number(told.shapes), Number(told.versions)]
/** Parts of the shapes that are moved before each version. */
const CHANGED = [0.001, 0.01, 0.1, 1]
/** As many make themselves in a day of work: one an hour, and one for the day. */
const A_DAY = 25
const TICK_MS = 10

/** Milliseconds of CPU of a process so far, from fields 14 and 15 of its stat. */
function cpu (pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13)
  return (Number(user) + Number(system)) * TICK_MS
}

const shown = number => number.toLocaleString('en', { maximumSignificantDigits: 3 })

async function liveBytes (api) {
  const { body } = await api.call('GET', '/metrics')
  return Number(/^boardwire_data_live_bytes (\S+)$/m.exec(body.toString())[1])
}

/** Moves every n-th shape, and keeps a version; what that took. */
async function measure (server, api, board, records, part) {
  const moved = records.filter((record, at) => record.typeName === 'shape' && at % Math.round(1 / part) === 0)
  let [bytes, time] = [0, 0]
  for (let n = 0; n < versions; n++) {
    for (const record of moved) record.x += 1
    await putRecords(api, board, moved)
    // What the change itself takes is settled before: its compaction too.
    await api.ok('GET', `/v1/boards/${board}/document`)
    const before = [await liveBytes(api), cpu(server.child.pid)]
    await api.ok('POST', `/v1/boards/${board}/versions`, { name: `${part} ${n}` })
    time += cpu(server.child.pid) - before[1]
    bytes += await liveBytes(api) - before[0]
  }
  return { bytes: bytes / versions, time: time / versions }
}

const server = await Server.start({ 'versions-hours': 0, 'versions-days': 0 })
try {
  const api = Api.user(server, 'alice')
  const records = mixedRecords(shapes)
  const { id } = await api.ok('POST', '/v1/boards', { title: 'Plan' })
  await putRecords(api, id, records)
  const { length } = await until(async () => (await api.call('GET', `/v1/boards/${id}/document`)).body, 'the board')
  console.log(`A board of ${shapes} mixed shapes, ${shown(length / 1024)} KiB as one update; means of ${versions} versions.\n`)
  console.log(`| shapes moved since the last version | a version, KiB | CPU, ms | CPU a day (${A_DAY} versions), s |\n| --- | --- | --- | --- |`)
  // The first version shares nothing with any other.
  await measure(server, api, id, records, 1)
  for (const part of CHANGED) {
    const { bytes, time } = await measure(server, api, id, records, part)
    console.log(`| ${shown(100 * part)} % | ${shown(bytes / 1024)} | ${shown(time)} | ${shown(A_DAY * time / 1000)} |`)
  }
} finally {
  server.dispose()
}
