// Promise: what docs/nodes.md shows to try it works as it stands, and what it shows to be pasted for Docker
// Compose and Kubernetes names settings that the server has, ports that it listens on, and fields that their
// schemas know.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Service } from 'kubernetes-models/v1/Service'
import { WebSocket } from 'ws'
import { parse, parseAllDocuments } from 'yaml'
import { Postgres, freePort } from './support/postgres.mjs'
import { BINARY } from './support/server.mjs'
import { until, within } from './support/wait.mjs'

const read = path => readFileSync(new URL(path, import.meta.url), 'utf8')
const DOCUMENT = read('../../docs/nodes.md')
const [COMPOSE, KUBERNETES, ...others] = DOCUMENT.split('```yaml\n').slice(1).map(rest => rest.split('```')[0])
assert.equal(others.length, 0, 'docs/nodes.md has two blocks of yaml')

/** Every variable of the server, from its own help. */
const VARIABLES = new Set(spawnSync(BINARY, ['serve', '--help'], { encoding: 'utf8' }).stdout
  .split('\n').map(line => /^\s+--([a-z-]+)/.exec(line)?.[1]).filter(name => name !== undefined)
  .map(name => `BOARDWIRE_${name.replaceAll('-', '_').toUpperCase()}`))

/** What the image of the Dockerfile sets, from which the examples start. */
const IMAGE = Object.fromEntries([...read('../../Dockerfile').matchAll(/^ENV (.*)$/gm)]
  .flatMap(([, line]) => line.split(' ')).map(one => one.split('=')))

const port = address => Number(address.split(':').at(-1))

/** What a server says of these variables, together with secrets and a database that is not there. */
function started (variables) {
  const env = {
    ...IMAGE,
    BOARDWIRE_JWT_SECRET: 'x'.repeat(32),
    BOARDWIRE_NODE_SECRET: 'y'.repeat(32),
    BOARDWIRE_STORE: 'postgres://boardwire:PASSWORD@127.0.0.1:1/boardwire?sslmode=disable',
    ...variables
  }
  const { stderr, status } = spawnSync(BINARY, ['serve'], { env, encoding: 'utf8', timeout: 20_000 })
  return { status, last: stderr.trim().split('\n').at(-1) }
}

function assertIsNode (variables, ports) {
  for (const name of Object.keys(variables)) assert.ok(VARIABLES.has(name), `${name} is no setting of the server`)
  assert.deepEqual(ports, [variables.BOARDWIRE_LISTEN, variables.BOARDWIRE_NODE_ADDRESS].map(port))
  // All settings are right, so that the database is all that is missing.
  const { status, last } = started(variables)
  assert.equal(status, 1, last)
  assert.match(last, /cannot open the database 127\.0\.0\.1:1\/boardwire/)
}

test('what is shown to try it starts two nodes, and prints a token that opens the board at both', async t => {
  const postgres = await Postgres.start()
  t.after(() => postgres.dispose())
  const directory = mkdtempSync(join(tmpdir(), 'boardwire-try-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  // `sudo -u postgres psql` of a machine that has one.
  writeFileSync(join(directory, 'sudo'), `#!/bin/sh\nshift 3\nexec ${postgres.bin}/psql -X -v ON_ERROR_STOP=1 -h ${postgres.directory} -p ${postgres.port} -U owner -d postgres "$@"\n`, { mode: 0o755 })
  symlinkSync(BINARY, join(directory, 'boardwire'))
  let script = DOCUMENT.split('```sh\n').map(rest => rest.split('```')[0]).find(block => block.includes('8081'))
  assert.ok(script.includes('@localhost/') && script.startsWith('sudo -u postgres psql '), script)
  script = script.replace('@localhost/', `@localhost:${postgres.port}/`)
  const web = []
  for (const shown of ['8081', '8082', '7081', '7082']) {
    const port = await freePort()
    assert.equal(script.split(shown).length, 2, shown)
    script = script.replace(shown, port)
    if (shown.startsWith('8')) web.push(port)
  }
  const env = { PATH: `${directory}:${process.env.PATH}` }
  const shell = spawn('sh', ['-euc', script + 'wait\n'], { env, cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => process.kill(-shell.pid, 'SIGKILL'))
  const said = { stdout: '', stderr: '' }
  for (const name of Object.keys(said)) shell[name].setEncoding('utf8').on('data', chunk => { said[name] += chunk })
  const token = await until(() => /^(ey[\w.-]+)$/m.exec(said.stdout)?.[1], () => `a token: ${JSON.stringify(said)}`)
  await until(() => said.stderr.split('"message":"listening"').length === 3, () => `two nodes: ${said.stderr}`)
  // As the page does it, when the address is opened that the document shows.
  assert.ok(DOCUMENT.includes('http://127.0.0.1:8081/board/plan?token=TOKEN'))
  for (const port of web) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/canvas/plan?token=${token}`)
    // Who is refused gets the reason and a close in place of the board.
    const first = new Promise((resolve, reject) => socket.on('message', bytes => bytes[0] === 0 && resolve()).on('error', reject).on('close', code => reject(new Error(`closed with ${code}`))))
    await within(first, 10_000, `the board by the node at ${port}`)
    socket.terminate()
  }
})

test('every variable that the document names is a setting', () => {
  assert.ok(VARIABLES.size > 30, [...VARIABLES].join())
  const named = new Set(DOCUMENT.match(/BOARDWIRE_[A-Z_]+/g))
  // Those of `boardwire copy`.
  for (const name of ['BOARDWIRE_COPY_FROM', 'BOARDWIRE_COPY_TO']) assert.ok(named.delete(name))
  assert.ok(named.size >= 6)
  for (const name of named) assert.ok(VARIABLES.has(name), name)
})

test('the compose file is one of two nodes that are the same but for their names', () => {
  const { services, secrets, volumes } = parse(COMPOSE, { merge: true })
  const { db, balancer, ...nodes } = services
  assert.deepEqual(Object.keys(nodes), ['one', 'two'])
  for (const [name, node] of Object.entries(nodes)) {
    const { BOARDWIRE_NODE_ADDRESS: address } = node.environment
    assert.equal(address.split(':')[0], name, 'the others reach it by the name of its service')
    assertIsNode(node.environment, [8080, 7070])
    assert.deepEqual({ ...node, environment: null }, { ...nodes.one, environment: null })
    assert.ok(node.depends_on.every(service => service in services))
    assert.equal(node.env_file, 'boardwire.env')
  }
  for (const { volumes: mounts = [], secrets: given = [] } of [db, balancer]) {
    for (const mount of mounts.filter(mount => !mount.startsWith('.'))) assert.ok(mount.split(':')[0] in volumes, mount)
    for (const secret of given) assert.ok(secret in secrets, secret)
  }
  assert.equal(db.environment.POSTGRES_PASSWORD_FILE, `/run/secrets/${db.secrets[0]}`)
  // The user and the database are those of BOARDWIRE_STORE in the text beside it.
  assert.ok(DOCUMENT.includes(`BOARDWIRE_STORE=postgres://${db.environment.POSTGRES_USER}:PASSWORD@db/${db.environment.POSTGRES_DB}?sslmode=disable`))
})

test('the objects of Kubernetes are valid, and of one application', () => {
  const objects = parseAllDocuments(KUBERNETES).map(document => document.toJS())
  assert.deepEqual(objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`), ['apps/v1 Deployment', 'v1 Service'])
  const [deployment, service] = objects
  new Deployment(deployment).validate()
  new Service(service).validate()
  // The schema of a probe in it is looked at too.
  const wrong = structuredClone(deployment)
  wrong.spec.template.spec.containers[0].readinessProbe.httpGet.port = []
  assert.throws(() => new Deployment(wrong).validate(), /readinessProbe/)

  const { selector, template, replicas } = deployment.spec
  assert.ok(replicas > 1)
  assert.deepEqual(selector.matchLabels, template.metadata.labels)
  assert.deepEqual(service.spec.selector, template.metadata.labels)
  const [container, ...beside] = template.spec.containers
  assert.equal(beside.length, 0)
  const names = container.env.map(({ name }) => name)
  const environment = Object.fromEntries(container.env.filter(({ value }) => value !== undefined).map(({ name, value }) =>
    // As Kubernetes puts in what stands above in the list.
    [name, value.replace(/\$\((\w+)\)/g, (_, above) => {
      assert.ok(names.indexOf(above) < names.indexOf(name) && names.includes(above), `${above} stands above ${name}`)
      return '10.1.2.3'
    })]))
  const ports = container.ports.map(({ containerPort }) => containerPort)
  assertIsNode(environment, ports)
  const [web] = ports
  assert.deepEqual(container.readinessProbe.httpGet, { path: '/health', port: web })
  assert.equal(container.livenessProbe.tcpSocket.port, web)
  assert.deepEqual(service.spec.ports.map(({ targetPort }) => targetPort), [web])
})
