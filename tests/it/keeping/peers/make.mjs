// Has other programs store the same document, as their users have them: README.md tells what is needed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'
import WebSocket from 'ws'
import { LeveldbPersistence } from 'y-leveldb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const HERE = import.meta.dirname

/** The document: three records of a board, of which one is moved, and a text beside them. */
const RECORDS = [
  { id: 'document:document', typeName: 'document', gridSize: 10, name: '', meta: {} },
  { id: 'page:page', typeName: 'page', name: 'Page 1', index: 'a1', meta: {} },
  {
    id: 'shape:note',
    typeName: 'shape',
    type: 'note',
    parentId: 'page:page',
    index: 'a1',
    x: 1,
    y: 2,
    rotation: 0,
    opacity: 1,
    isLocked: false,
    meta: {},
    props: {
      align: 'middle',
      color: 'yellow',
      font: 'draw',
      fontSizeAdjustment: 0,
      growY: 0,
      labelColor: 'black',
      richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'kept' }] }] },
      scale: 1,
      size: 'm',
      url: '',
      verticalAlign: 'middle',
    },
  },
]

/** The edits that make it, each an update. */
const EDITS = [
  ...RECORDS.map((record) => (doc) => doc.getMap('tldraw').set(record.id, record)),
  (doc) => doc.getText('notes').insert(0, 'Moved'),
  (doc) => doc.getMap('tldraw').set('shape:note', { ...RECORDS[2], x: 30 }),
  (doc) => doc.getText('notes').insert(5, ' in, whole.'),
]

function edited(client, edits = EDITS) {
  const doc = new Y.Doc()
  doc.clientID = client
  const updates = []
  doc.on('update', (update) => updates.push(update))
  for (const edit of edits) edit(doc)
  return updates
}

/** Waits for a state, and says which one where it does not come. */
async function until(what, holds) {
  for (let tries = 0; tries < 400; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`not within ten seconds: ${what}`)
}

function emptied(name) {
  const directory = path.join(HERE, name)
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory)
  return directory
}

/**
 * y-leveldb. A store is opened three times, and LevelDB makes a table of its log when it is opened: so what is
 * here stands in tables, packed ones among them, and in a log.
 */
async function yLeveldb() {
  const directory = emptied('y-leveldb')
  const times = [
    async (store) => {
      for (const update of edited(7).slice(0, 3)) await store.storeUpdate('plan', update)
      await store.setMeta('plan', 'title', 'left out')
      for (let n = 0; n < 40; n++) {
        const text = (doc) => doc.getMap('map').set('n', `${n} ${'0123456789'.repeat(30)}`)
        for (const update of edited(100 + n, [text])) await store.storeUpdate(`many-${n}`, update)
      }
    },
    async (store) => {
      for (const update of edited(7).slice(3)) await store.storeUpdate('plan', update)
      // One update stands for those before it, which are removed; and a document is.
      await store.flushDocument('plan')
      await store.storeUpdate('gone', edited(8)[0])
      const later = (doc) => doc.getText('large').insert(0, 'abcdefghij'.repeat(9_000))
      for (const update of edited(9, [later])) await store.storeUpdate('large', update)
    },
    async (store) => {
      await store.clearDocument('gone')
      for (const update of edited(10)) await store.storeUpdate('in-the-log', update)
      // Longer than a block of a log.
      const long = (doc) => doc.getText('large').insert(0, 'abcdefghij'.repeat(4_000))
      for (const update of edited(11, [long])) await store.storeUpdate('large-in-the-log', update)
    },
  ]
  for (const time of times) {
    const store = new LeveldbPersistence(directory)
    await time(store)
    // It closes only what has been done.
    await store.getAllDocNames()
    await store.destroy()
  }
  for (const name of ['LOG', 'LOG.old']) fs.rmSync(path.join(directory, name), { force: true })
}

/** Hocuspocus with its SQLite, written to by its own client. */
async function hocuspocus() {
  const directory = emptied('hocuspocus')
  const database = path.join(directory, 'hocuspocus.sqlite')
  const server = new Server({ address: '127.0.0.1', port: 0, quiet: true, extensions: [new SQLite({ database })] })
  await server.listen()
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.webSocketURL, WebSocketPolyfill: WebSocket })
  for (const [name, client] of [
    ['plan', 7],
    ['other', 8],
  ]) {
    const doc = new Y.Doc()
    doc.clientID = client
    const provider = new HocuspocusProvider({ websocketProvider, name, document: doc })
    provider.attach()
    await until('it is in sync', () => provider.isSynced)
    for (const edit of EDITS) edit(doc)
    await until('all is sent', () => !provider.hasUnsyncedChanges)
    provider.destroy()
  }
  websocketProvider.destroy()
  await until('all is stored', () => server.hocuspocus.documents.size === 0)
  await server.destroy()
}

/** y-sweet, written to by the provider of y-websocket, whose protocol it speaks. */
async function ySweet(program) {
  const directory = emptied('y-sweet')
  const port = 18_642
  const server = spawn(program, ['serve', directory, '--port', String(port)], { stdio: 'inherit' })
  const reached = () => fetch(`http://127.0.0.1:${port}/ready`).then((answer) => answer.ok, () => false)
  await until('y-sweet listens', reached)
  for (const [name, client] of [
    ['plan', 7],
    ['other', 8],
  ]) {
    const made = await fetch(`http://127.0.0.1:${port}/doc/new`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ docId: name }),
    })
    if (!made.ok) throw new Error(await made.text())
    const doc = new Y.Doc()
    doc.clientID = client
    const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/doc/ws`, name, doc, { WebSocketPolyfill: WebSocket })
    await until('it is in sync', () => provider.synced)
    for (const edit of EDITS) edit(doc)
    const file = path.join(directory, name, 'data.ysweet')
    await until('all is stored', () => fs.existsSync(file) && fs.readFileSync(file).includes('whole.'))
    provider.destroy()
  }
  server.kill('SIGINT')
  await once(server, 'exit')
}

const [program] = process.argv.slice(2)
await yLeveldb()
await hocuspocus()
if (program === undefined) console.log('y-sweet is left as it is: no program was named')
else await ySweet(program)
