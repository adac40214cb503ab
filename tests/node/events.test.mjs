// Promise: whoever reads lines can follow a board with a plain fetch, and goes on where it stopped: what
// stock clients and agents change comes as events.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Api } from './support/api.mjs'
import { ALL, Client } from './support/clients.mjs'
import { Server } from './support/server.mjs'
import { mint } from './support/token.mjs'
import { until } from './support/wait.mjs'

/** Follows a board until the test ends, as docs/events.md says; `events` grows by itself. */
async function follow (t, server, board, { query = '', last } = {}) {
  const stop = new AbortController()
  const headers = { Authorization: `Bearer ${mint({ sub: 'alice' })}`, ...(last === undefined ? {} : { 'Last-Event-ID': last }) }
  const answer = await fetch(`http://${server.host}:${server.port}/v1/boards/${board}/events${query}`, { headers, signal: stop.signal })
  assert.equal(answer.status, 200)
  const followed = { events: [], last: null, stop: () => stop.abort() }
  t.after(followed.stop)
  const read = async () => {
    let text = ''
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      text += chunk
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const fields = Object.fromEntries(text.slice(0, end).split('\n').filter(line => !line.startsWith(':')).map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
        followed.last = fields.id ?? followed.last
        if (fields.data !== undefined) followed.events.push({ event: fields.event, ...JSON.parse(fields.data) })
      }
    }
  }
  followed.reading = read().catch(() => {})
  return followed
}

describe('events', () => {
  let server
  let alice
  before(async () => {
    server = await Server.start()
    alice = Api.user(server)
  })
  after(() => server.dispose())

  for (const [i, provider] of ALL.slice(0, 3).entries()) {
    test(`${provider}: what people and agents do is told to who follows`, async t => {
      const board = `events-${i}`
      await alice.create(board)
      const followed = await follow(t, server, board)
      /** Waits for the next event, and takes it. */
      const next = async what => {
        await until(() => followed.events.length > 0, what)
        return followed.events.shift()
      }
      const client = Client.open(t, server, board, { provider, sub: 'ann' })
      client.provider.awareness.setLocalState({ user: { name: 'Ann' } })
      await until(() => client.provider.synced, 'the first sync')
      assert.deepEqual(await next('her'), { event: 'presence.joined', name: 'Ann', subject: 'user:ann' })
      const records = client.doc.getMap('tldraw')
      const drawn = { id: 'shape:drawn', typeName: 'shape', type: 'geo', x: 1, y: 2, props: { w: 10, h: 10 }, meta: {} }
      records.set('shape:drawn', drawn)
      const created = await next('what she draws')
      assert.deepEqual([created.event, created.id, created.type, created.by, created.item.x], ['item.created', 'drawn', 'shape', 'user:ann', 1])
      records.set('shape:drawn', { ...drawn, x: 5 })
      const changed = await next('what she moves')
      assert.deepEqual([changed.event, changed.by, changed.item.x], ['item.changed', 'user:ann', 5])
      assert.notEqual(changed.revision, created.revision)
      records.delete('shape:drawn')
      assert.deepEqual(await next('what she deletes'), { event: 'item.deleted', id: 'drawn', type: 'shape', by: 'user:ann', revision: changed.revision })
      const path = `/v1/boards/${board}/items`
      await alice.ok('POST', path, { id: 'note', type: 'sticky', x: 0, y: 0 })
      const [one, other] = [await next('what the agent draws'), await next('that the agent is there')]
      const made = [one, other].find(({ event }) => event === 'item.created')
      assert.equal(made.by, 'user:alice')
      const { headers, body } = await alice.call('GET', `${path}/note`)
      assert.deepEqual([made.item, `"${made.revision}"`], [body, headers.etag])
      assert.deepEqual([one, other].find(({ event }) => event === 'presence.joined'), { event: 'presence.joined', name: 'alice', subject: 'user:alice' })
      client.provider.destroy()
      await until(() => followed.events.some(({ event, name }) => event === 'presence.left' && name === 'Ann'), 'her leave')
    })
  }

  test('a dropped reader goes on where it stopped', async t => {
    await alice.create('kept')
    const first = await follow(t, server, 'kept', { query: '?types=item' })
    await alice.ok('POST', '/v1/boards/kept/items', { id: 'one', type: 'sticky', x: 0, y: 0 })
    await until(() => first.events.length === 1, 'the first')
    first.stop()
    await first.reading
    await alice.ok('POST', '/v1/boards/kept/items', { id: 'two', type: 'sticky', x: 0, y: 0 })
    const second = await follow(t, server, 'kept', { query: '?types=item', last: first.last })
    await until(() => second.events.length === 1, 'the second')
    assert.deepEqual([first.events[0].id, second.events[0].id], ['one', 'two'])
  })
})
