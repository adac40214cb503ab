// The balancers of docs/nodes.md, word by word, but for their addresses and without TLS.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../node/support/postgres.mjs'
import { until } from '../../node/support/wait.mjs'
import { runNginx } from './nginx.mjs'

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../../docs/nodes.md', import.meta.url)), 'utf8')

/** The one block of docs/nodes.md in this language. */
function block (language) {
  const blocks = DOCUMENT.split('```' + language + '\n').slice(1).map(rest => rest.split('```')[0])
  if (blocks.length !== 1) throw new Error(`docs/nodes.md has ${blocks.length} blocks of ${language}`)
  return blocks[0]
}

/** Puts one text in place of another, which must be there. */
function put (text, ...changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the example has no ${from}:\n${text}`)
    text = text.replace(from, to)
  }
  return text
}

const address = ({ host, port }) => `${host}:${port}`

/** nginx, as the example has it, before two nodes; its origin. */
export async function nginx (stage, [one, two]) {
  const port = await freePort()
  const example = put(block('nginx'),
    ['10.0.0.5:8080', address(one)],
    ['10.0.0.6:8080', address(two)],
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    ['ssl_certificate /etc/ssl/boards.example.com.pem;', ''],
    ['ssl_certificate_key /etc/ssl/boards.example.com.key;', ''])
  return await runNginx(stage, port, example)
}

/** Caddy, as the example has it, before two nodes; its origin. */
export async function caddy (stage, [one, two]) {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'boardwire-caddy-'))
  const example = put(block('caddyfile'),
    ['10.0.0.5:8080', address(one)],
    ['10.0.0.6:8080', address(two)],
    ['boards.example.com', `http://127.0.0.1:${port}`])
  writeFileSync(join(directory, 'Caddyfile'), `{\nadmin off\n}\n${example}`)
  const env = { ...process.env, HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  const child = spawn(process.env.CADDY_BIN ?? 'caddy', ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  let failed = null
  child.stderr.setEncoding('utf8').on('data', chunk => { log += chunk })
  child.on('error', error => { failed = error })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  stage.atEnd(() => {
    process.off('exit', kill)
    kill()
    rmSync(directory, { recursive: true, force: true })
  })
  const origin = `http://127.0.0.1:${port}`
  await until(async () => {
    if (failed !== null || child.exitCode !== null) throw new Error(`caddy did not start; on Debian: apt-get install caddy; or set CADDY_BIN. ${failed ?? log}`)
    return await fetch(origin + '/health').then(({ ok }) => ok, () => false)
  }, () => `caddy to answer:\n${log}`)
  return origin
}
