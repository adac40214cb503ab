// Promise: stock clients connect to a server with --tls-cert by wss, with its certificate verified as any
// other.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { certificate } from './support/certificate.mjs'
import { Server } from './support/server.mjs'

/** Two stock clients of `ws`, in a process of their own: Node reads NODE_EXTRA_CA_CERTS once, when it starts. */
const CLIENTS = `
import { ALL, Client, converged } from './support/clients.mjs'
const server = { ws: process.env.WS }
for (const provider of ALL) {
  const board = 'secret-' + ALL.indexOf(provider)
  const [ann, ben] = ['ann', 'ben'].map(sub => new Client(server, board, { provider, sub }))
  await ann.synced()
  await ben.synced()
  ann.set('from', 'ann')
  await ben.sees('from', 'ann')
  ben.set('large', 'x'.repeat(2 ** 20))
  await converged([ann, ben])
}
console.log('converged')
process.exit(0)
`

/** Runs them; what they printed, and how they ended. */
function clients (ws, env) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CLIENTS], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { ...process.env, WS: ws, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000
  })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => { out += chunk })
  return new Promise(resolve => child.on('close', code => resolve({ code, out })))
}

test('every stock provider syncs by wss, and none with a server that it does not trust', async t => {
  const flags = certificate()
  const server = await Server.start(flags, t)
  assert.match(server.ws, /^wss:/)
  const trusting = await clients(server.ws, { NODE_EXTRA_CA_CERTS: flags['tls-cert'] })
  assert.equal(trusting.code, 0, trusting.out)
  assert.match(trusting.out, /converged/)

  const other = await clients(server.ws, { NODE_EXTRA_CA_CERTS: certificate()['tls-cert'] })
  assert.doesNotMatch(other.out, /converged/)
  assert.notEqual(other.code, 0)
})
