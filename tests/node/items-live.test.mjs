// Promise: what an agent draws over HTTP is on every open canvas at once, and what people draw comes back as
// items.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Api } from './support/api.mjs'
import { ALL, Client } from './support/clients.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

describe('items and stock clients', () => {
  let server
  let alice
  before(async () => {
    server = await Server.start()
    alice = Api.user(server)
  })
  after(() => server.dispose())

  // The release candidate has another interface to maps; what it is sent is the same.
  for (const [i, provider] of ALL.slice(0, 3).entries()) {
    test(`${provider}: a batch arrives as plain records in one transaction`, async t => {
      const board = `live-${i}`
      await alice.create(board)
      const client = Client.open(t, server, board, { provider, sub: 'ann' })
      await until(() => client.provider.synced, 'the first sync')
      const records = client.doc.getMap('tldraw')
      const changes = []
      records.observe(event => changes.push([...event.keysChanged].sort()))
      const create = (id, x) => ({ action: 'create', item: { id, type: 'shape', x, y: 0.5 } })
      await alice.ok('POST', `/v1/boards/${board}/items/batch`, { operations: [create('a', 1), create('b', 2)] })
      await until(() => records.has('shape:b'), 'the records')
      assert.deepEqual(changes, [['document:document', 'page:page', 'shape:a', 'shape:b']])
      const shape = records.get('shape:a')
      assert.equal(Object.getPrototypeOf(shape), Object.prototype, 'a plain value, no shared type')
      // No BigInt, which JSON and tldraw do not know.
      assert.deepEqual([shape.x, shape.y, shape.props.w, shape.opacity], [1, 0.5, 200, 1])
      const path = `/v1/boards/${board}/items`
      await alice.ok('PATCH', `${path}/a`, { x: 7 })
      await until(() => records.get('shape:a').x === 7, 'the move')
      await alice.ok('DELETE', `${path}/b`)
      await until(() => !records.has('shape:b'), 'the deletion')
      assert.equal(changes.length, 3)
      client.doc.transact(() => {
        const { meta, ...rest } = records.get('shape:a')
        records.set('shape:mine', { ...rest, id: 'shape:mine', meta: {}, x: -3.25, props: { ...rest.props, geo: 'star' } })
        records.set('shape:film', { ...rest, id: 'shape:film', type: 'video', props: {} })
      })
      const items = await until(async () => {
        const items = await alice.all(path)
        return items.length === 2 && items
      }, 'the item that was drawn')
      const { id, x, style, created_by: by } = items.find(({ id }) => id !== 'a')
      assert.deepEqual([id, x, style.geo, by], ['mine', -3.25, 'star', null])
      assert.equal((await alice.call('GET', `${path}/film`)).status, 404)
    })
  }

  test('a person and an agent who change different shapes lose nothing', async t => {
    await alice.create('both')
    const client = Client.open(t, server, 'both', { provider: ALL[0], sub: 'ann' })
    const records = client.doc.getMap('tldraw')
    const path = '/v1/boards/both/items'
    await Promise.all(Array.from({ length: 30 }, async (_, n) => {
      records.set(`shape:drawn${n}`, { id: `shape:drawn${n}`, typeName: 'shape', type: 'geo', x: n, y: 0, props: { w: 1, h: 1 }, meta: {} })
      await alice.ok('POST', path, { id: `made${n}`, type: 'sticky', x: n, y: 0 })
    }))
    await until(async () => (await alice.all(path)).length === 60, 'all sixty')
    await until(() => [...records.keys()].filter(key => key.startsWith('shape:')).length === 60, 'all sixty at the client')
  })
})
