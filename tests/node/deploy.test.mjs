// Promise: the files of docs/deploy work as they stand: their fields are ones that the schemas know, their
// settings are the server's, and what they name of each other is there.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim'
import { Service } from 'kubernetes-models/v1/Service'
import { parse, parseAllDocuments } from 'yaml'
import { BINARY } from './support/server.mjs'
import { SECRET, adminToken } from './support/token.mjs'
import { until } from './support/wait.mjs'

const at = name => fileURLToPath(new URL(`../../docs/deploy/${name}`, import.meta.url))
const read = name => readFileSync(at(name), 'utf8')
const help = spawnSync(BINARY, ['serve', '--help'], { encoding: 'utf8' }).stdout
const SETTINGS = new Set([...help.matchAll(/^\s+--([a-z-]+)/gm)].map(([, name]) => name))

/** Fails unless the server has this setting, or it is the file of a secret. */
function known (name) {
  const setting = name.endsWith('-file') ? name.slice(0, -'-file'.length) : name
  assert.ok(SETTINGS.has(setting), `${name} is a setting`)
}
const variable = name => known(name.replace(/^BOARDWIRE_/, '').replaceAll('_', '-').toLowerCase())

const SERVICE = new Set(['image', 'restart', 'stop_grace_period', 'environment', 'volumes', 'depends_on', 'networks', 'read_only', 'cap_drop',
  'security_opt', 'entrypoint', 'command', 'network_mode', 'ports', 'configs'])

for (const [name, needs] of [['compose.yaml', ['BOARDWIRE_HOST']], ['compose.local.yaml', []]]) {
  test(`${name} needs ${needs.length === 0 ? 'no variable' : needs}, and all that it names is in it`, () => {
    const text = read(name)
    const variables = new Set([...text.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, one]) => one))
    assert.deepEqual([...variables], needs)
    const { services, volumes, networks = {}, configs = {}, ...others } = parse(text)
    assert.deepEqual(Object.keys(others), ['name'])
    for (const service of Object.values(services)) {
      for (const key of Object.keys(service)) assert.ok(SERVICE.has(key), key)
      for (const volume of service.volumes ?? []) assert.ok(volume.split(':')[0] in volumes, volume)
      for (const other of Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {})) assert.ok(other in services, other)
      for (const network of Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {})) assert.ok(network in networks, network)
      for (const { source } of service.configs ?? []) assert.ok(source in configs, source)
    }
    Object.keys(services.boardwire.environment).forEach(variable)
    assert.equal(services.boardwire.stop_grace_period, '20s', 'longer than --drain')
    // What makes the secret: a shell that stops at the first failure, with one script, in which no variable
    // of compose stands by mistake.
    const { entrypoint, command } = services.secret
    assert.deepEqual(entrypoint, ['sh', '-ec'])
    assert.equal(spawnSync('sh', ['-n', '-c', command[0]]).status, 0)
    assert.ok(!command[0].includes('$'))
  })
}

/** What Caddy makes of a configuration. */
function adapted (t, caddyfile) {
  const file = scratch(t, 'Caddyfile', caddyfile)
  return spawnSync('caddy', ['adapt', '--adapter', 'caddyfile', '--config', file], { encoding: 'utf8', env: { ...process.env, BOARDWIRE_HOST: 'boards.example.com' } })
}

/** A file for the length of a test. */
function scratch (t, name, text) {
  const directory = mkdtempSync(join(tmpdir(), 'boardwire-deploy-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

test('Caddy takes what compose.yaml gives it', t => {
  const { configs, services } = parse(read('compose.yaml'))
  const caddyfile = configs.caddyfile.content.replaceAll('$$', '$')
  assert.match(caddyfile, /^\{\$BOARDWIRE_HOST\} \{/)
  const ran = adapted(t, caddyfile)
  assert.equal(ran.status, 0, ran.stderr)
  const said = JSON.parse(ran.stdout).apps.http.servers.srv0
  assert.deepEqual(said.listen, [':443'])
  assert.match(ran.stdout, /"boards\.example\.com"/)
  assert.match(ran.stdout, /"dial":"boardwire:8080"/)
  assert.equal(services.boardwire.environment.BOARDWIRE_TRUSTED_PROXY, services.caddy.networks.inside.ipv4_address)
})

test('Kubernetes knows every field of kubernetes.yaml, and one process at a time has the disk', () => {
  const kinds = { Deployment, PersistentVolumeClaim, Service }
  const objects = parseAllDocuments(read('kubernetes.yaml')).map(document => document.toJS())
  assert.deepEqual(objects.map(({ kind }) => kind), ['PersistentVolumeClaim', 'Deployment', 'Service'])
  for (const object of objects) new kinds[object.kind](object).validate()
  const [claim, { spec }, service] = objects
  assert.deepEqual([spec.replicas, spec.strategy.type], [1, 'Recreate'])
  const { containers: [container], volumes, terminationGracePeriodSeconds } = spec.template.spec
  assert.equal(terminationGracePeriodSeconds, 20, 'longer than --drain')
  container.env.forEach(({ name }) => variable(name))
  assert.deepEqual(container.volumeMounts.map(({ name }) => name), volumes.map(({ name }) => name))
  assert.equal(volumes[0].persistentVolumeClaim.claimName, claim.metadata.name)
  assert.equal(volumes[1].secret.defaultMode, 0o440)
  assert.equal(container.env.find(({ name }) => name.endsWith('_FILE')).value, `${container.volumeMounts[1].mountPath}/jwt-secret`)
  assert.deepEqual(service.spec.selector, spec.template.metadata.labels)
  assert.equal(service.spec.ports[0].targetPort, container.ports[0].name)
  // A disk that is full makes nobody restart what still serves.
  assert.equal(container.readinessProbe.httpGet.path, '/health')
  assert.ok(container.livenessProbe.tcpSocket !== undefined)
})

/** What a validator with Kubernetes' own schemas says, which takes no field that they do not have. */
const strictly = file => spawnSync(fileURLToPath(new URL('../python/.venv/bin/kubernetes-validate', import.meta.url)), ['--strict', file], { encoding: 'utf8' })

test('a validator finds nothing in kubernetes.yaml, and a field that there is not in a changed one', t => {
  const right = strictly(at('kubernetes.yaml'))
  assert.equal(right.status, 0, `${right.error ?? ''}${right.stdout}${right.stderr}`)
  const wrong = strictly(scratch(t, 'wrong.yaml', read('kubernetes.yaml').replace('terminationGracePeriodSeconds', 'terminationGracePeriod')))
  assert.notEqual(wrong.status, 0)
  assert.match(wrong.stdout + wrong.stderr, /terminationGracePeriod/)
})

test('the server takes boardwire.toml as it stands, and with what it has commented out', t => {
  const secret = scratch(t, 'jwt-secret', SECRET)
  const text = read('boardwire.toml').replace('/etc/boardwire/jwt-secret', secret)
  for (const one of [text, text.replace(/^# (?=[a-z-]+ = )/gm, '')]) {
    const file = scratch(t, 'boardwire.toml', one)
    const said = spawnSync(BINARY, ['config', '--config', file], { encoding: 'utf8' })
    assert.equal(said.status, 0, said.stdout + said.stderr)
    assert.ok(said.stdout.includes('/var/lib/boardwire/boardwire.redb') && !said.stdout.includes(SECRET))
  }
})

test('systemd understands every line of the unit, and finds it well shut in', t => {
  const unit = read('boardwire.service')
  const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)[1])
  assert.ok(stop > 10, 'longer than --drain')
  const ran = spawnSync('systemd-analyze', ['verify', '--man=no', at('boardwire.service')], { encoding: 'utf8' })
  if (ran.error !== undefined) return t.diagnostic('not checked: systemd-analyze is not here')
  const words = ran.stderr.split('\n').filter(line => line.includes('boardwire.service') && !line.includes('is not executable'))
  assert.deepEqual(words, [])
  const level = spawnSync('systemd-analyze', ['security', '--offline=true', at('boardwire.service')], { encoding: 'utf8' })
  assert.ok(Number(/exposure level for .*: ([0-9.]+)/.exec(level.stdout)?.[1]) < 2, level.stdout.slice(-200))
})

/** The system calls of sets as systemd names them: `@file-system`. */
function calls (set) {
  const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', set], { encoding: 'utf8' })
  const names = stdout.split('\n').map(line => line.trim()).filter(line => line !== '' && line !== set && !line.startsWith('#'))
  return new Set(names.flatMap(name => name.startsWith('@') ? [...calls(name)] : [name]))
}

test('the server makes no system call that the unit forbids', async t => {
  if (['strace', 'systemd-analyze'].some(tool => spawnSync(tool, ['--version']).error !== undefined)) return t.diagnostic('not checked: strace or systemd-analyze is not here')
  const trace = scratch(t, 'trace', '')
  const strace = spawn('strace', ['-f', '-qq', '-o', trace, BINARY, 'serve', '--listen', '127.0.0.1:0', '--data', `${trace}.redb`], {
    env: { ...process.env, BOARDWIRE_JWT_SECRET: SECRET }, stdio: ['ignore', 'ignore', 'pipe']
  })
  t.after(() => strace.kill('SIGKILL'))
  let log = ''
  strace.stderr.setEncoding('utf8').on('data', text => { log += text })
  const address = await until(() => /"listen":"([^"]+)"/.exec(log)?.[1], () => `the server's address: ${log}`)
  const made = await fetch(`http://${address}/v1/boards`, { method: 'POST', headers: { Authorization: `Bearer ${adminToken()}` }, body: '{"id":"b"}' })
  assert.equal(made.status, 201)
  // The server is what strace has started, which the first line is about.
  process.kill(Number(readFileSync(trace, 'utf8').split(' ')[0]), 'SIGTERM')
  await new Promise(resolve => strace.on('exit', resolve))

  const lines = readFileSync(trace, 'utf8').matchAll(/^\d+ +([a-z0-9_]+)\(/gm)
  const done = new Set([...lines].map(([, name]) => name))
  assert.ok(done.has('fdatasync') && done.has('accept4'), 'the trace is read')
  const [allowed, forbidden] = ['', '~'].map(sign => [...read('boardwire.service').matchAll(/^SystemCallFilter=(~?)(.*)$/gm)]
    .filter(([, one]) => one === sign).flatMap(([, , sets]) => sets.split(' ')).map(calls))
  for (const name of done) {
    assert.ok(allowed.some(set => set.has(name)), `${name} is allowed`)
    assert.ok(!forbidden.some(set => set.has(name)), `${name} is not forbidden`)
  }
})
