// Promise: what docs/nodes.md shows to be pasted for Docker Compose and Kubernetes names settings that the
// server has, ports that it listens on, and fields that their schemas know.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Service } from 'kubernetes-models/v1/Service'
import { parse, parseAllDocuments } from 'yaml'
import { BINARY } from './support/server.mjs'

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
