// The servers that boardwire is compared with: what each is, how it is installed and started, what it cannot
// do. All that is installed lands under the target directory, from registries, in the versions that
// benches/peers pins; benches/peers/README.md tells what each needed.
'use strict'
const { spawnSync } = require('node:child_process')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { freePort, scratch, start, stop, unheard } = require('./measure.js')

const SOURCES = path.join(__dirname, '../benches/peers')
const NPM = ['npm', 'ci', '--no-audit', '--no-fund', '--loglevel', 'error']

/** The version of a package, as the peer's manifest pins it. */
function pinned(file, name) {
  const text = fs.readFileSync(path.join(SOURCES, file), 'utf8')
  const found = text.match(new RegExp(`"?${name}"?\\s*(?:==|:|=)\\s*"?=?(\\d[\\w.-]*)`))
  return `${name} ${found[1]}`
}

/**
 * One row a peer. `install` gives the commands, run in a directory that has `files` of benches/peers/NAME (or those of
 * `source`). `start` gives the words of one process, which keeps its number: a port of 127.0.0.1, and a directory
 * where it is to store. The address is of boards, `{room}` in it; `prepare` is asked of a board before its first client.
 */
const PEERS = [
  {
    name: 'y-websocket',
    what: "Yjs's own server, on Node",
    version: () => `${pinned('y-websocket/package.json', '@y/websocket-server')} on Node ${process.version}`,
    files: ['package.json', 'package-lock.json'],
    install: () => [NPM],
    start: ({ at, port, data }) => ['env', 'NODE_ENV=production', 'HOST=127.0.0.1', `PORT=${port}`,
      ...data ? [`YPERSISTENCE=${data}`] : [], process.execPath, path.join(at, 'node_modules/@y/websocket-server/src/server.js')],
    stores: 'LevelDB, each update as it comes',
    dialect: 'yjs',
    url: port => `ws://127.0.0.1:${port}/{room}`,
    cannot: [
      'no word that an edit is saved: what comes back to its author is sent before it is stored',
      'what it stores is not synced: it outlives the process, but not the power of the machine',
      'after a restart the first newcomer is told that the board is empty, and gets it a moment later',
      'no rights: whoever reaches it reads and writes every board',
    ],
  },
  {
    name: 'hocuspocus',
    what: 'Hocuspocus, on Node',
    version: () => `${pinned('hocuspocus/package.json', '@hocuspocus/server')} on Node ${process.version}`,
    files: ['package.json', 'package-lock.json', 'server.mjs'],
    install: () => [NPM],
    start: ({ at, port, data }) => ['env', 'NODE_ENV=production', process.execPath, path.join(at, 'server.mjs'), String(port),
      ...data ? [data] : []],
    stores: 'SQLite, two to ten seconds after a change',
    dialect: 'hocuspocus',
    url: port => `ws://127.0.0.1:${port}/{room}`,
    cannot: [
      'no word that an edit is saved: its status message says that it was applied, seconds before it is stored',
      'rights only by code of one\'s own (`onAuthenticate`)',
    ],
  },
  {
    name: 'y-sweet',
    what: 'y-sweet, in Rust on yrs',
    version: () => 'y-sweet 0.9.1',
    files: [],
    install: () => [
      // Its package on npm fetches a binary from elsewhere; the crate is the same server.
      ['cargo', 'install', 'y-sweet', '--version', '0.9.1', '--locked', '--quiet', '--root', '.', '--target-dir', 'build'],
      ['rm', '-r', 'build'],
    ],
    start: ({ at, port, data }) => ['env', 'RUST_LOG=off', path.join(at, 'bin/y-sweet'), 'serve', '--host', '127.0.0.1',
      '--port', String(port), ...data ? [data] : []],
    stores: 'a file a board, every ten seconds',
    dialect: 'yjs',
    url: port => `ws://127.0.0.1:${port}/d/{room}/ws/{room}`,
    prepare: port => `POST http://127.0.0.1:${port}/doc/new {"docId":"{room}"}`,
    cannot: [
      'no word that an edit is saved: its status message comes back before it is stored',
      'what it stores is not synced: it outlives the process, but not the power of the machine',
      'stopped by SIGTERM it loses what it had not stored yet (SIGINT stores first)',
      'a reader that falls behind loses updates, and is not told',
      'a board must be made by a request before the first client',
    ],
  },
  {
    name: 'pycrdt',
    what: 'pycrdt-websocket, in Python on yrs',
    version: () => `${pinned('pycrdt/requirements.txt', 'pycrdt-websocket')} with ${pinned('pycrdt/requirements.txt', 'pycrdt')}`,
    files: ['requirements.txt', 'server.py'],
    install: () => [
      ['python3', '-m', 'venv', 'venv'],
      ['venv/bin/pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', 'requirements.txt'],
    ],
    start: ({ at, port, data }) => [path.join(at, 'venv/bin/python'), path.join(at, 'server.py'), String(port),
      ...data ? [data] : []],
    stores: 'SQLite, each update as it comes',
    dialect: 'yjs',
    url: port => `ws://127.0.0.1:${port}/{room}`,
    cannot: [
      'no word that an edit is saved: what comes back to its author is sent before it is stored',
      'stopped in order it loses the updates that wait to be stored',
      'a newcomer does not see who is there, and whoever is cut off stays shown',
      'no rights, and no store, without code of one\'s own',
    ],
  },
  {
    name: 'yrs-warp',
    what: 'yrs-warp, in Rust on yrs',
    version: () => pinned('yrs-warp/Cargo.toml', 'yrs-warp'),
    files: ['Cargo.toml', 'Cargo.lock', 'src/main.rs'],
    install: () => [['cargo', 'build', '--release', '--locked', '--quiet', '--target-dir', 'build']],
    start: ({ at, port }) => [path.join(at, 'build/release/peer-yrs-warp'), String(port)],
    dialect: 'yjs',
    url: port => `ws://127.0.0.1:${port}/{room}`,
    cannot: [
      'no store: boards are gone when it ends',
      'a reader that falls behind gets nothing any more, and is not told',
      'what a client changed offline never arrives, since it does not ask a client for what it has',
      'a newcomer does not see who is there, and whoever is cut off stays shown',
      'no rights: whoever reaches it reads and writes every board',
    ],
  },
]

/** The stock clients that try whether a peer works at all. */
const CLIENTS = { name: 'clients', files: ['package.json', 'package-lock.json', 'exchange.mjs'], install: () => [NPM] }

const lastLines = text => text.toString().trim().split('\n').slice(-6).join('\n')

/** Installs one under target/peers, where that was not done before; gives back a sentence where it failed. */
function install(target, peer) {
  const at = path.join(target, 'peers', peer.name)
  const hash = crypto.createHash('sha256').update(JSON.stringify([process.version, peer.install()]))
  for (const file of peer.files) hash.update(fs.readFileSync(path.join(SOURCES, peer.name, file)))
  const stamp = path.join(at, '.installed')
  const wanted = hash.digest('hex')
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return undefined
  fs.rmSync(stamp, { force: true })
  fs.mkdirSync(at, { recursive: true })
  for (const file of peer.files) fs.cpSync(path.join(SOURCES, peer.name, file), path.join(at, file), { recursive: true })
  console.error(`  ${peer.name}: it is installed; this can take a minute or two, once`)
  for (const [command, ...args] of peer.install()) {
    const done = spawnSync(command, args, { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] })
    if (done.status === 0) continue
    const why = done.error?.message ?? lastLines(done.stderr.length ? done.stderr : done.stdout)
    return `it could not be installed: ${command} ${args.join(' ')}: ${why}`
  }
  fs.writeFileSync(stamp, wanted)
  return undefined
}

/** How a peer is started, with a directory to store in or without. */
const words = (target, peer, { port, data }) => peer.start({ at: path.join(target, 'peers', peer.name), port, data })

/** Starts it, and lets two stock clients exchange an edit; gives back a sentence where that failed. */
async function tryOut(target, peer, isStoring) {
  const port = await freePort()
  const data = isStoring ? scratch(path.join(target, 'peers'), 'data') : undefined
  const child = start(words(target, peer, { port, data }), { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  child.stderr.on('data', more => { text += more })
  const late = await unheard(port, child, { seconds: 20 })
  const url = peer.url(port).replaceAll('{room}', 'trial')
  if (!late && peer.prepare) await prepare(peer.prepare(port).replaceAll('{room}', 'trial'))
  const client = path.join(target, 'peers', CLIENTS.name, 'exchange.mjs')
  const trial = [process.execPath, client, peer.dialect, url, 'trial']
  const done = late ? undefined : start(trial, { stdio: ['ignore', 'ignore', 'pipe'] })
  done?.stderr.on('data', more => { text += more })
  const failed = late ?? (await done.ended === 0 ? undefined : 'two stock clients could not exchange an edit')
  await stop(child)
  return failed && `${failed}: ${lastLines(text)}`
}

/** Asks what a peer wants to be asked before a board's first client: `METHOD URL BODY`. */
async function prepare(request) {
  const [method, url, ...body] = request.split(' ')
  await fetch(url, { method, body: body.join(' '), headers: { 'content-type': 'application/json' } })
}

module.exports = { CLIENTS, PEERS, install, tryOut, words }
