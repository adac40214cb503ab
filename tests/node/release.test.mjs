// Promise: what scripts/release makes is whole, and the same each time; it installs without a compiler, and a
// first board is open within two minutes; a newer one takes its place, and nobody's boards or secret go.
// The binary is the one under test, so that nothing is built here.
import { after, test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket-31'
import * as Y from 'yjs'
import { certificate } from './support/certificate.mjs'
import { freePort } from './support/postgres.mjs'
import { BINARY } from './support/server.mjs'
import { until } from './support/wait.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'boardwire-release-'))
const running = new Set()
const dispose = () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
}
after(dispose)
process.on('exit', dispose)

/** Runs a program to its end; throws with its words where it does not end well. */
function run (program, args, options = {}) {
  const ran = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options })
  assert.equal(ran.status, 0, `${program} ${args.join(' ')}: ${ran.error ?? ''}${ran.stdout}${ran.stderr}`)
  return ran.stdout
}

const read = path => readFileSync(path, 'utf8')
const mode = path => (statSync(path).mode & 0o7777).toString(8)
const has = tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0
const AS_ROOT = process.getuid() === 0

/** A release of the binary under test. */
const dist = join(scratch, 'dist')
run(join(root, 'scripts/release'), ['--binary', BINARY, '--out', dist])
const tarball = readdirSync(dist).find(name => name.endsWith('.tar.gz'))
const deb = readdirSync(dist).find(name => name.endsWith('.deb'))
const unpacked = join(scratch, 'unpacked')
mkdirSync(unpacked)
run('tar', ['-xzf', join(dist, tarball), '-C', unpacked, '--strip-components', '1'])

/** All commands of the binary, by its own help: `serve`, `board export`. */
const below = words => run(BINARY, [...words, '--help']).split('Commands:')[1]?.split('\n\n')[0].split('\n')
  .map(line => /^ {2}([a-z]+) /.exec(line)?.[1]).filter(name => name !== undefined && name !== 'help') ?? []
const COMMANDS = below([]).flatMap(name => [name, ...(name === 'board' ? below([name]).map(one => `board ${one}`) : [])])

test('the same commit packs to the same bytes, in another place and at another time', () => {
  const again = join(scratch, 'again')
  run(join(root, 'scripts/release'), ['--binary', BINARY, '--out', again], { env: { ...process.env, TMPDIR: scratch } })
  assert.equal(read(join(again, 'SHA256SUMS')), read(join(dist, 'SHA256SUMS')))
  rmSync(again, { recursive: true })
})

test('the checksums are those of the files, and nothing lies beside them without one', () => {
  run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: dist })
  const named = read(join(dist, 'SHA256SUMS')).trim().split('\n').map(line => line.slice(66))
  assert.deepEqual(named.sort(), readdirSync(dist).filter(name => name !== 'SHA256SUMS').sort())
})

test('the tarball belongs to root, and has what one needs and nothing that one may not read', () => {
  const rows = run('tar', ['--numeric-owner', '-tvzf', join(dist, tarball)]).trim().split('\n')
  for (const row of rows) assert.match(row, /^(drwxr-xr-x|-rw[x-]r-[x-]r-[x-]) 0\/0 /, row)
  for (const name of ['bin/boardwire', 'install', 'README.md', 'NOTICE', 'LICENSE-MIT', 'LICENSE-APACHE', 'LICENSES.txt', 'boardwire.cdx.json',
    'boardwire.service', 'boardwire.toml', 'share/bash-completion/completions/boardwire', 'share/zsh/site-functions/_boardwire',
    'share/fish/vendor_completions.d/boardwire.fish', 'share/doc/boardwire/deploy/compose.yaml', 'share/doc/boardwire/deploy/kubernetes.yaml']) {
    assert.ok(statSync(join(unpacked, name)).size > 0, name)
  }
})

test('every command has a page for man, which its readers take without a word', t => {
  assert.ok(COMMANDS.length > 15, `commands are found: ${COMMANDS}`)
  const pages = join(unpacked, 'share/man/man1')
  const wanted = ['boardwire', ...COMMANDS.map(name => `boardwire-${name.replace(' ', '-')}`)].map(name => `${name}.1`)
  assert.deepEqual(readdirSync(pages).sort(), wanted.sort())
  if (!has('mandoc') && !has('man')) return t.diagnostic('not read: neither mandoc nor man is here')
  for (const page of wanted) {
    const file = join(pages, page)
    // A date would be that of the commit, which the binary does not know; long lines are examples to be
    // copied.
    if (has('mandoc')) assert.equal(run('mandoc', ['-T', 'lint', '-W', 'error', file]), '')
    if (has('man')) assert.equal(spawnSync('man', ['--warnings', '-l', file], { encoding: 'utf8', env: { ...process.env, MANPAGER: 'cat', MAN_KEEP_STDERR: '1' } }).stderr, '', page)
  }
})

test('bash completes commands, flags, values and paths', () => {
  const script = join(unpacked, 'share/bash-completion/completions/boardwire')
  const completed = (...words) => run('bash', ['-c', `
    source ${script}
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _boardwire
    printf '%s\\n' "\${COMPREPLY[@]}"`, 'bash', 'boardwire', ...words]).trim().split('\n')
  assert.ok(completed('').includes('serve') && completed('').includes('board'))
  assert.deepEqual(completed('ser'), ['serve'])
  assert.deepEqual(completed('serve', '--listen', '127.0.0.1:1', '--log-f'), ['--log-format'])
  assert.deepEqual(completed('serve', '--log-format', ''), ['text', 'json'])
  assert.deepEqual(completed('serve', '--data', join(root, 'Cargo.to')), [join(root, 'Cargo.toml')])
  assert.ok(completed('board', '').includes('export') && !completed('board', '').includes('serve'))
  assert.ok(completed('board', 'copy', '--').includes('--url') && completed('copy', '--').includes('--from'), 'two commands of one name')
  assert.deepEqual(completed('serve', '--listen', ''), [''], 'nobody can guess an address')
  for (const [shell, file] of [['zsh', 'zsh/site-functions/_boardwire'], ['fish', 'fish/vendor_completions.d/boardwire.fish']]) {
    if (has(shell)) run(shell, ['-n', join(unpacked, 'share', file)])
  }
})

test('the bill of materials has what is linked and what the page is made of, and no tool', () => {
  const { bomFormat, specVersion, serialNumber, metadata, components } = JSON.parse(read(join(dist, 'boardwire.cdx.json')))
  assert.deepEqual([bomFormat, specVersion, metadata.component.name], ['CycloneDX', '1.6', 'boardwire'])
  assert.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const names = new Set(components.map(({ name }) => name))
  for (const name of ['redb', 'yrs', 'rustls', 'mimalloc', 'tldraw', 'react', 'musl']) assert.ok(names.has(name), `${name} is inside`)
  for (const name of ['divan', 'proptest', 'tempfile', 'serde_derive', 'typescript', 'vite', 'boardwire-picture']) assert.ok(!names.has(name), `${name} is not inside`)
  const refs = components.map(one => one['bom-ref'])
  assert.equal(new Set(refs).size, refs.length, 'each stands once')
  for (const one of components) {
    assert.ok(one.licenses?.length > 0, `${one.name} has a licence`)
    if (one.purl !== undefined) assert.match(one.hashes[0].content, /^([0-9a-f]{64}|[0-9a-f]{128})$/, one.name)
  }
})

test('the licences begin with what tldraw asks for, and have the text of every crate', () => {
  const text = read(join(dist, 'LICENSES.txt'))
  const [head] = text.split('-'.repeat(78))
  assert.match(head, /made with tldraw/)
  assert.ok(text.includes(read(join(root, 'web/licenses/tldraw-sdk.txt')).trim()), 'tldraw\'s own words, whole')
  const { components } = JSON.parse(read(join(dist, 'boardwire.cdx.json')))
  for (const { name, version, purl } of components) {
    if (purl?.startsWith('pkg:cargo/')) assert.ok(text.includes(`\n${name} ${version} (`), `${name} ${version}`)
  }
})

/** The directories of a machine, as far as a package looks at them. */
function machine (name) {
  const at = join(scratch, name)
  for (const one of ['etc', 'var/lib/dpkg', 'tmp']) mkdirSync(join(at, one), { recursive: true })
  writeFileSync(join(at, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(at, 'etc/group'), 'root:x:0:\n')
  writeFileSync(join(at, 'etc/shadow'), 'root:*:20000:0:99999:7:::\n', { mode: 0o640 })
  return at
}

test('the .deb says what it is, and has each file with the right mode', () => {
  const fields = run('dpkg-deb', ['--field', join(dist, deb)])
  for (const line of [/^Package: boardwire$/m, /^Version: \d+\.\d+\.\d+$/m, /^Architecture: (amd64|arm64)$/m]) assert.match(fields, line)
  assert.equal(run('dpkg-deb', ['--info', join(dist, deb), 'conffiles']), '/etc/boardwire/boardwire.toml\n')
  const rows = run('dpkg-deb', ['--contents', join(dist, deb)]).trim().split('\n')
  for (const row of rows) assert.match(row, / root\/root /, row)
  const modes = Object.fromEntries(rows.map(row => row.split(/\s+/)).map(([modes, , , , , path]) => [path, modes]))
  assert.equal(modes['./usr/bin/boardwire'], '-rwxr-xr-x')
  for (const path of ['./etc/boardwire/boardwire.toml', './usr/lib/systemd/system/boardwire.service', './usr/share/man/man1/boardwire-serve.1.gz', './usr/share/doc/boardwire/copyright']) {
    assert.equal(modes[path], '-rw-r--r--', path)
  }
})

test('the .deb makes user, secret and directory once; removal leaves boards, a purge takes them and nothing else', { skip: !AS_ROOT && 'needs root' }, () => {
  const at = machine('debian')
  const control = join(scratch, 'control')
  run('dpkg-deb', ['--extract', join(dist, deb), at])
  run('dpkg-deb', ['--control', join(dist, deb), control])
  const script = (name, ...args) => run(join(control, name), args, { env: { ...process.env, DPKG_ROOT: at } })
  script('postinst', 'configure', '')
  const secret = join(at, 'etc/boardwire/jwt-secret')
  const first = read(secret)
  assert.ok(Buffer.from(first.trim(), 'base64').length === 32, 'the secret has 32 bytes')
  const [, , uid, gid, , home, shell] = /^boardwire:.*$/m.exec(read(join(at, 'etc/passwd')))[0].split(':')
  assert.deepEqual([home, shell], ['/var/lib/boardwire', '/usr/sbin/nologin'])
  assert.deepEqual([mode(secret), statSync(secret).uid, statSync(secret).gid], ['640', 0, Number(gid)])
  const data = join(at, 'var/lib/boardwire')
  assert.deepEqual([mode(data), statSync(data).uid], ['700', Number(uid)])

  writeFileSync(join(data, 'boardwire.redb'), 'boards')
  script('prerm', 'upgrade', '0.1.0')
  script('postinst', 'configure', '0.1.0')
  assert.equal(read(secret), first, 'an update keeps the secret')
  script('prerm', 'remove')
  script('postrm', 'remove')
  assert.ok(existsSync(secret) && existsSync(join(data, 'boardwire.redb')), 'a removal leaves boards and secret')
  writeFileSync(join(data, 'backup-of-mine.redb'), 'mine')
  writeFileSync(join(data, 'boardwire.redb.format-5'), 'boards of before an update')
  script('postrm', 'purge')
  assert.deepEqual(readdirSync(data), ['backup-of-mine.redb'], 'a purge takes what is ours')
  assert.ok(!existsSync(secret))
})

/** Programs of any machine, and no compiler, no Rust and no Node: a PATH. */
const tools = join(scratch, 'tools')
mkdirSync(tools)
for (const tool of ['sh', 'base64', 'basename', 'cat', 'chmod', 'chown', 'cmp', 'cp', 'cut', 'dirname', 'grep', 'gzip', 'head', 'id', 'ln', 'mkdir', 'mktemp',
  'mv', 'rm', 'sed', 'sha256sum', 'tar', 'uname', 'useradd']) {
  const [at] = spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin" command -v ${tool}`], { encoding: 'utf8' }).stdout.split('\n')
  if (at !== '') symlinkSync(at, join(tools, tool))
}

test('from the tarball to a first board it takes no two minutes and no compiler, and a newer release takes its place', async () => {
  const begun = performance.now()
  const home = join(scratch, 'home')
  mkdirSync(home)
  const env = { PATH: tools, HOME: home }
  const install = (file = join(dist, tarball)) => run(join(root, 'scripts/install'), [file, '--prefix', join(home, '.local')], { env })
  const words = install()
  assert.match(words, /The checksum of boardwire-.* is right/)
  const settings = join(home, '.config/boardwire/boardwire.toml')
  const [start, invite] = [...words.matchAll(/^ {5}(.*)$/gm)].map(([, command]) => command)
  assert.ok(start.endsWith('&') && invite.includes('invite Alice --admin'), words)
  assert.deepEqual([mode(join(home, '.config/boardwire/jwt-secret')), mode(join(home, '.local/share/boardwire'))], ['600', '700'])

  // Another port than the one that is in use here, as anybody would change it.
  const port = await freePort()
  writeFileSync(settings, read(settings).replace('127.0.0.1:8080', `127.0.0.1:${port}`))
  const shell = command => ['sh', ['-c', command.replace(/ &$/, '')], { env }]
  const server = spawn(...shell(`exec ${start}`))
  running.add(server)
  let log = ''
  server.stderr.setEncoding('utf8').on('data', text => { log += text })
  const ended = new Promise(resolve => server.on('exit', resolve))
  await until(() => /"listening"/.test(log) || (server.exitCode !== null && assert.fail(log)), () => `the server's line: ${log}`)

  const link = run(...shell(invite)).trim()
  assert.ok(link.startsWith(`http://127.0.0.1:${port}/`), link)
  const page = await fetch(link)
  assert.equal(page.status, 200)
  const token = run(...shell(invite.replace('invite Alice --admin', 'token --sub alice --role admin'))).trim()
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/ws/canvas`, 'first', doc, { params: { token }, WebSocketPolyfill: WebSocket, disableBc: true })
  await until(() => provider.synced, 'the first board')
  const took = performance.now() - begun
  provider.destroy()
  doc.destroy()
  assert.ok(took < 120_000, `${took} ms`)

  // A newer release: the same one with a byte behind it, which the loader does not look at.
  const binary = join(home, '.local/bin/boardwire')
  assert.match(install(), /Next:/, 'the same one once more changes nothing')
  assert.ok(!existsSync(`${binary}.previous`))
  const newer = join(scratch, 'newer')
  cpSync(unpacked, newer, { recursive: true })
  appendFileSync(join(newer, 'bin/boardwire'), '\0')
  const before = [read(settings), read(join(home, '.config/boardwire/jwt-secret'))]
  const said = run(join(newer, 'install'), ['--prefix', join(home, '.local')], { env })
  assert.match(said, /The one before|the one before/)
  assert.equal(statSync(binary).size, statSync(`${binary}.previous`).size + 1)
  assert.deepEqual([read(settings), read(join(home, '.config/boardwire/jwt-secret'))], before, 'settings and secret stay')
  server.kill('SIGTERM')
  assert.equal(await ended, 0, 'a server whose binary was replaced stops in order')
})

/** A data file of an older version, as it lies packed among the fixtures: stretches of one byte, then others. */
function older (file) {
  const packed = readFileSync(join(root, 'src/store/redb/tests', file))
  const parts = []
  for (let at = 0; at < packed.length;) {
    const [same, others] = [packed.readUInt32LE(at), packed.readUInt32LE(at + 5)]
    parts.push(Buffer.alloc(same, packed[at + 4]), packed.subarray(at + 9, at + 9 + others))
    at += 9 + others
  }
  return Buffer.concat(parts)
}

/** Starts an installed server, and waits until it listens. */
async function serving (binary, args, env) {
  const server = spawn(binary, ['serve', ...args], { env })
  running.add(server)
  let log = ''
  server.stderr.setEncoding('utf8').on('data', text => { log += text })
  const ended = new Promise(resolve => server.on('exit', resolve))
  await until(() => /"listening"/.test(log) || (server.exitCode !== null && assert.fail(log)), () => `the server's line: ${log}`)
  return async () => {
    server.kill('SIGTERM')
    assert.equal(await ended, 0, log)
  }
}

/** A request to a server with this certificate. */
const ask = (method, url, { ca, json, headers }) => new Promise((resolve, reject) => {
  const request = https.request(url, { method, ca, headers: { 'content-type': 'application/json', ...headers } }, answer => {
    let body = ''
    answer.setEncoding('utf8').on('data', text => { body += text }).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }))
  })
  request.on('error', reject).end(json && JSON.stringify(json))
})

/** A stock client on a board, by wss, with a cookie or a token. */
function drawing (url, board, { ca, cookie, token }) {
  class Trusting extends WebSocket {
    constructor (address, protocols) {
      super(address, protocols, { ca, headers: cookie && { cookie, origin: url.replace('wss', 'https') } })
    }
  }
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`${url}/ws/canvas`, board, doc, { params: token ? { token } : {}, WebSocketPolyfill: Trusting, disableBc: true })
  return { doc, provider, hello: doc.getMap('hello'), end: () => { provider.destroy(); doc.destroy() } }
}

test('the way of a newcomer: install, TLS, the boards of an older version, an invitation, a backup, and all of it elsewhere', async () => {
  const home = join(scratch, 'newcomer')
  mkdirSync(home)
  const env = { PATH: tools, HOME: home }
  run(join(root, 'scripts/install'), [join(dist, tarball), '--prefix', join(home, '.local')], { env })
  const binary = join(home, '.local/bin/boardwire')
  const settings = join(home, '.config/boardwire/boardwire.toml')
  const data = join(home, '.local/share/boardwire/boardwire.redb')
  writeFileSync(data, older('format-4/closed'))

  const [port, flags] = [await freePort(), certificate()]
  const ca = readFileSync(flags['tls-cert'])
  const lines = Object.entries(flags).map(([name, file]) => `${name} = "${file}"\n`).join('')
  writeFileSync(settings, read(settings).replace('127.0.0.1:8080', `127.0.0.1:${port}`) + lines)
  const origin = `https://localhost:${port}`
  const told = { ...env, BOARDWIRE_PUBLIC_URL: origin }
  const boardwire = (...args) => run(binary, [...args, '--config', settings], { env: told })
  const stop = await serving(binary, ['--config', settings], told)

  const link = boardwire('invite', 'Alice', '--admin').trim()
  assert.ok(link.startsWith(`${origin}/`), link)
  const invite = new URL(link).hash.slice('#invite='.length)
  const entered = await ask('POST', `${origin}/v1/session`, { ca, json: { invite }, headers: { origin } })
  assert.equal(entered.status, 201, entered.body)
  assert.match(entered.headers['set-cookie'][0], /; Secure/)
  const cookie = entered.headers['set-cookie'][0].split(';')[0]
  const made = await ask('POST', `${origin}/v1/boards`, { ca, json: { title: 'New' }, headers: { origin, cookie } })
  assert.equal(made.status, 201, made.body)
  const { id } = JSON.parse(made.body)
  const alice = drawing(origin.replace('https', 'wss'), id, { ca, cookie })
  await until(() => alice.provider.synced, 'the new board')
  alice.hello.set('said', 'by a newcomer')
  const shown = () => boardwire('board', 'export', id, '--format', 'json', '--to', '-')
  await until(() => shown().includes('by a newcomer'), 'what she said to be there')
  alice.end()
  const listed = boardwire('board', 'list', '--json')
  for (const title of ['The plan', 'The sketch', 'New']) assert.ok(listed.includes(title), `${title} is in ${listed}`)

  const backups = join(home, 'backups')
  mkdirSync(backups)
  boardwire('backup', '--to', `${backups}/`)
  await stop()
  const [backup] = readdirSync(backups)

  const elsewhere = join(home, 'elsewhere')
  mkdirSync(elsewhere)
  const there = join(elsewhere, 'boardwire.redb')
  run(binary, ['restore', '--from', join(backups, backup), '--data', there], { env })
  run(binary, ['check', '--data', there], { env })
  const other = await freePort()
  const secret = ['--jwt-secret-file', join(home, '.config/boardwire/jwt-secret')]
  const tls = Object.entries(flags).flatMap(([name, file]) => [`--${name}`, file])
  const stopThere = await serving(binary, ['--data', there, '--listen', `127.0.0.1:${other}`, ...secret, ...tls], env)
  const token = run(binary, ['token', '--sub', 'alice', '--role', 'admin', ...secret], { env }).trim()
  const again = drawing(`wss://localhost:${other}`, id, { ca, token })
  await until(() => again.hello.get('said') === 'by a newcomer', 'what she said, elsewhere')
  again.end()
  await stopThere()
})

test('a tarball that is not what the checksums say is not installed', () => {
  const other = join(scratch, 'other')
  mkdirSync(other)
  for (const name of [tarball, 'SHA256SUMS']) cpSync(join(dist, name), join(other, name))
  appendFileSync(join(other, tarball), 'x')
  const refused = () => {
    const ran = spawnSync(join(root, 'scripts/install'), [join(other, tarball), '--prefix', join(scratch, 'nowhere')], { encoding: 'utf8' })
    assert.equal(ran.status, 1)
    assert.ok(!existsSync(join(scratch, 'nowhere')))
    return ran.stderr
  }
  assert.match(refused(), /is not what SHA256SUMS says/)
  writeFileSync(join(other, 'SHA256SUMS'), '')
  assert.match(refused(), /does not name boardwire-/)
})

test('on a machine with systemd it makes a user, a service that names the right binary, and the settings once', { skip: !AS_ROOT && 'needs root' }, () => {
  const at = machine('systemd')
  const install = () => run(join(unpacked, 'install'), ['--root', at], { env: { PATH: tools } })
  assert.match(install(), /systemctl enable --now boardwire/)
  assert.match(read(join(at, 'etc/passwd')), /^boardwire:/m)
  assert.match(read(join(at, 'etc/systemd/system/boardwire.service')), /^ExecStart=\/usr\/local\/bin\/boardwire serve$/m)
  assert.deepEqual([mode(join(at, 'usr/local/bin/boardwire')), mode(join(at, 'etc/boardwire/jwt-secret')), mode(join(at, 'var/lib/boardwire'))], ['755', '640', '700'])
  writeFileSync(join(at, 'etc/boardwire/boardwire.toml'), 'listen = "127.0.0.1:9999"\n')
  install()
  assert.equal(read(join(at, 'etc/boardwire/boardwire.toml')), 'listen = "127.0.0.1:9999"\n')
})

test('every stage of the Dockerfile does what it says, with this release', () => {
  const words = run(join(root, 'scripts/dockerfile-check'), [dist])
  assert.match(words, /2 stages are in order/)
})
