// What versions of a board cost: bytes in the data file and CPU a version, by how much was changed since the
// last one. Prints the table of docs/performance.md.
//   BOARDWIRE_BIN=../../target/release/boardwire node versions-cost.mjs [--shapes 5000] [--versions 8]
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { mixedRecords, putRecords } from './support/mixed.mjs'
import { Api } from '../node/support/api.mjs'
import { pause } from '../node/support/wait.mjs'
import { Server } from '../node/support/server.mjs'

const { values: told } = parseArgs({ options: { shapes: { type: 'string', default: '5000' }, versions: { type: 'string', default: '8' } } })
const [shapes, versions] = [Number(told.shapes), Number(told.versions)]
/** Parts of the shapes that are moved before each version. */
const CHANGED = [0.001, 0.01, 0.1, 1]
/** The most that make themselves in a day: one an hour, of which one stays for the day. */
const A_DAY = 24
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

/** Bytes once nothing is compacted any more. */
async function settled (api) {
  for (let before = -1; ;) {
    const now = await liveBytes(api)
    if (now === before) return now
    before = now
    await pause(500)
  }
}

/** Moves every n-th shape, as one person who has the board open, and keeps a version; what that took. */
async function measure (server, api, board, doc, part) {
  const map = doc.getMap('tldraw')
  const moved = [...map.keys()].filter((key, at) => key.startsWith('shape:') && at % Math.round(1 / part) === 0)
  let [bytes, time] = [0, 0]
  for (let n = 0; n < versions; n++) {
    const known = Y.encodeStateVector(doc)
    doc.transact(() => { for (const key of moved) map.set(key, { ...map.get(key), x: map.get(key).x + 1 }) })
    await api.call('POST', `/v1/boards/${board}/document`, Y.encodeStateAsUpdate(doc, known), { 'Content-Type': 'application/octet-stream' })
    // What the change itself takes is settled before: its compaction too.
    const before = [await settled(api), cpu(server.child.pid)]
    await api.ok('POST', `/v1/boards/${board}/versions`, { name: `${part} ${n}` })
    time += cpu(server.child.pid) - before[1]
    bytes += await settled(api) - before[0]
  }
  return { bytes: bytes / versions, time: time / versions }
}

const server = await Server.start({ 'versions-hours': 0, 'versions-days': 0, 'compact-after': '20ms' })
try {
  const api = Api.user(server, 'alice')
  const records = mixedRecords(shapes)
  const { id } = await api.ok('POST', '/v1/boards', { title: 'Plan' })
  await putRecords(api, id, records)
  const { body } = await api.call('GET', `/v1/boards/${id}/document`)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, body)
  console.log(`A board of ${shapes} mixed shapes, ${shown(body.length / 1024)} KiB as one update; means of ${versions} versions.\n`)
  console.log(`| shapes moved since the last version | a version, KiB | CPU, ms | CPU a day (${A_DAY} versions), s |\n| --- | --- | --- | --- |`)
  // The first version shares nothing with any other.
  await measure(server, api, id, doc, 1)
  for (const part of CHANGED) {
    const { bytes, time } = await measure(server, api, id, doc, part)
    console.log(`| ${shown(100 * part)} % | ${shown(bytes / 1024)} | ${shown(time)} | ${shown(A_DAY * time / 1000)} |`)
  }
} finally {
  server.dispose()
}
