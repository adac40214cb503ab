// Promise: a data file of any earlier format is checked, served, backed up and restored with all that is in
// it; the file as it was is kept beside it, for the way back; and the log and the commands say so. The files
// were written by the last program of each format (src/store/redb/tests/README.md). scripts/upgrade-check has
// those programs run.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Api } from './support/api.mjs'
import { command, draw, has, hash, unpacked } from './support/older.mjs'
import { Server } from './support/server.mjs'

const FIXTURES = fileURLToPath(new URL('../../src/store/redb/tests', import.meta.url))
const ROWS = readFileSync(new URL('../../src/store/rows.rs', import.meta.url), 'utf8')
const PRESENT = Number(/FILE_FORMAT: u32 = (\d+);/.exec(ROWS)[1])
const EARLIER = Array.from({ length: PRESENT - 1 }, (_, n) => n + 1)

/** A server that is not started yet, on a file of a format: one that was closed in order, or of a process that was killed. */
function older (t, format, end) {
  // What is years old by now stays.
  const server = new Server({ 'trash-days': 3650, 'audit-days': 3650 })
  t.after(() => server.dispose())
  writeFileSync(server.data, unpacked(join(FIXTURES, `format-${format}`, end)))
  const told = JSON.parse(readFileSync(join(FIXTURES, `format-${format}`, `${end}.json`), 'utf8'))
  return { server, told, kept: `${server.data}.format-${format}` }
}

const sound = data => {
  const { code, words } = command(['check', '--data', data])
  assert.equal(code, 0, words)
  assert.match(words, /all is sound/)
}
const lines = server => server.log.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line))

test('there is a file of every earlier format', () => {
  const there = readdirSync(FIXTURES).filter(name => name.startsWith('format-'))
  assert.deepEqual(there.sort(), EARLIER.map(format => `format-${format}`).sort())
})

for (const format of EARLIER) {
  for (const end of ['closed', 'killed']) {
    test(`a file of format ${format}, ${end}, is served with all that is in it, changed, and kept as it was`, async t => {
      const { server, told, kept } = older(t, format, end)
      const before = hash(server.data)
      sound(server.data)
      assert.equal(hash(server.data), before, 'a check changes no byte')

      await server.up()
      await has(server, told)
      await draw(server, 'plan', { later: 'after the update' })
      await Api.admin(server).ok('POST', '/v1/boards', { id: 'new' })
      const line = lines(server).find(({ from }) => from !== undefined)
      assert.deepEqual([line.level, line.from, line.to, line.kept], ['INFO', format, PRESENT, kept])
      assert.match(line.message, /kept/)
      assert.equal((await server.stop()).code, 0)
      sound(server.data)

      const log = server.log.length
      await server.up()
      await has(server, { ...told, drawn: { later: 'after the update' } })
      assert.doesNotMatch(server.log.slice(log), /"from":/, 'it happens once')
      assert.equal((await server.stop()).code, 0)

      // The way back, as docs/operations.md has it: what was kept has none of that, and takes the update
      // again.
      renameSync(server.data, `${server.data}.newer`)
      renameSync(kept, server.data)
      sound(server.data)
      await server.up()
      await has(server, told)
      assert.equal((await Api.admin(server).call('GET', '/v1/boards/new')).status, 404)
      assert.equal((await server.stop()).code, 0)
      assert.ok(existsSync(kept))
    })
  }

  test(`a backup of before the update, of format ${format}, is restored elsewhere, and itself stays as it is`, async t => {
    const { server, told } = older(t, format, 'closed')
    const backup = join(server.directory, 'backup.redb')
    copyFileSync(server.data, backup)
    const before = hash(backup)
    const there = new Server({ 'trash-days': 3650, 'audit-days': 3650 })
    t.after(() => there.dispose())
    const { code, words } = command(['restore', '--from', backup, '--data', there.data])
    assert.equal(code, 0, words)
    sound(there.data)
    await there.up()
    await has(there, told)
    await there.stop()
    assert.equal(hash(backup), before)
  })
}

test('boardwire backup makes one of the present format of an older file, and the older file stays what it is', async t => {
  const { server, told } = older(t, 5, 'closed')
  const before = hash(server.data)
  const to = join(server.directory, 'backups')
  mkdirSync(to)
  const { code, words } = command(['backup', '--to', join(to, 'b.redb'), '--data', server.data])
  assert.equal(code, 0, words)
  assert.equal(hash(server.data), before)
  renameSync(join(to, 'b.redb'), server.data)
  await server.up()
  await has(server, told)
  assert.doesNotMatch(server.log, /"from":/)
})

test('boardwire compact, and copy into it, bring an older file up, too, and say where it is kept', t => {
  for (const words of [data => ['compact', '--data', data], data => ['copy', '--from', `${data}.source`, '--to', data]]) {
    const { server, kept } = older(t, 4, 'closed')
    writeFileSync(`${server.data}.source`, unpacked(join(FIXTURES, 'format-3/closed')))
    const said = command(words(server.data)).words
    assert.ok(said.includes(`it had format 4 and has ${PRESENT} now`) && said.includes(kept), said)
    assert.ok(existsSync(kept))
    assert.ok(!existsSync(`${server.data}.source.format-3`), 'what is only read is left alone')
  }
})

test('where the file of an update before is kept still, a start says so, and nothing is changed', async t => {
  const { server, kept } = older(t, 4, 'closed')
  writeFileSync(kept, 'of another time')
  await assert.rejects(server.up(), error => {
    assert.match(error.message, /has format 4, and no copy of it with format \d+ could be made/)
    assert.ok(error.message.includes(`${kept} is there, of an update before; move it away, or remove it`), error.message)
    return true
  })
  assert.equal(readFileSync(kept, 'utf8'), 'of another time')
  renameSync(kept, `${kept}.away`)
  await server.up()
})

test('an older file keeps its owner and mode through the update', async t => {
  const { server, kept } = older(t, 4, 'closed')
  chmodSync(server.data, 0o640)
  await server.up()
  for (const file of [server.data, kept]) assert.equal(statSync(file).mode & 0o7777, 0o640)
})
