// What is inside a release: writes LICENSES.txt (the licences of all of it) and boardwire.cdx.json (a bill of
// materials, CycloneDX 1.6) into the directory that it is given. scripts/release calls it.
//
// Inside are the crates that are linked, as cargo resolves them for a release (what only builds, tests or
// derives code is not), the standard library and musl, and the packages of the page. Nothing here depends on
// the clock or on where the repository lies. It ends with an error where the text of a licence is missing.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = path => readFileSync(join(root, path), 'utf8')
const [to] = process.argv.slice(2)
const rule = '-'.repeat(78)

/** Crates that are linked: cargo's own graph, from the server along what is neither for building nor for tests. */
function crates () {
  const text = execFileSync('cargo', ['metadata', '--locked', '--format-version', '1', '--features', 'page',
    '--filter-platform', 'x86_64-unknown-linux-musl'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  const { packages, resolve, workspace_members: ours } = JSON.parse(text)
  const byId = new Map(packages.map(one => [one.id, one]))
  const edges = new Map(resolve.nodes.map(node => [node.id, node.deps]))
  const derives = one => one.targets.some(target => target.kind.includes('proc-macro'))
  const linked = new Set()
  const add = id => {
    if (linked.has(id) || derives(byId.get(id))) return
    linked.add(id)
    for (const dep of edges.get(id)) if (dep.dep_kinds.some(({ kind }) => kind === null)) add(dep.pkg)
  }
  add(packages.find(one => one.name === 'boardwire').id)
  return packages.filter(one => linked.has(one.id) && !ours.includes(one.id))
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1)
}

/** The checksums of crates, by name and version. */
function checksums () {
  const rows = read('Cargo.lock').split('[[package]]').slice(1).map(block => ['name', 'version', 'checksum']
    .map(key => new RegExp(`^${key} = "(.*)"$`, 'm').exec(block)?.[1]))
  return new Map(rows.map(([name, version, checksum]) => [`${name} ${version}`, checksum]))
}

/** The files of a directory that are the text of a licence, its own directories of foreign code among them. */
function texts (directory, depth = 0) {
  const found = []
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(directory, entry.name)
    if (entry.isDirectory() && depth < 3) found.push(...texts(path, depth + 1))
    else if (entry.isFile() && /^(licen[cs]e|copying|copyright|notice|unlicense)/i.test(entry.name) && !/\.(rs|html)$/.test(entry.name)) found.push(path)
  }
  return found
}

/** The text for a crate that names a licence and does not bring it. */
function general (one) {
  const holder = one.authors.length > 0 ? one.authors.join(', ') : `the authors of ${one.name}`
  if (/\bMIT\b/.test(one.license ?? '')) return `Copyright (c) ${holder}\n\n${read('web/licenses/mit.txt').split('\nMIT License\n\n')[1]}`
  if (/\bApache-2\.0\b/.test(one.license ?? '')) return `Copyright ${holder}\n\n${read('LICENSE-APACHE')}`
  throw new Error(`${one.name} ${one.version} brings no text of its licence, ${one.license}`)
}

/** Texts that many share stand once: sections of `{ names, text }`. */
function sections (linked) {
  const byText = new Map()
  const put = (name, text) => {
    const key = text.replaceAll('\r', '').trim()
    byText.set(key, [...byText.get(key) ?? [], name])
  }
  for (const one of linked) {
    const files = texts(dirname(one.manifest_path))
    const name = `${one.name} ${one.version} (${one.license ?? 'see below'})`
    if (files.length === 0) put(name, general(one))
    for (const file of files) put(name, readFileSync(file, 'utf8'))
  }
  return [...byText].map(([text, names]) => ({ names: [...new Set(names)], text }))
}

/** The production packages of the page, from its lock file. */
function packages () {
  const { packages } = JSON.parse(read('web/package-lock.json'))
  return Object.entries(packages).filter(([path, one]) => path !== '' && !one.dev && !one.devOptional && !one.optional && !one.link)
    .map(([path, one]) => ({ name: path.split('node_modules/').at(-1), ...one }))
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1)
}

function licences (linked) {
  const page = join(root, 'web/dist/licenses')
  if (!existsSync(join(page, 'third-party.txt'))) throw new Error('web/dist is missing; scripts/page builds it')
  const parts = [`What a release of Boardwire is made of, and the licences of all of it.

Boardwire itself: MIT or Apache 2.0, as you like. Texts: LICENSE-MIT, LICENSE-APACHE.

tldraw, on which one draws, is not open source. In short, and without any promise of ours:
- You may use it as it is in this page, also in a company and for money.
- The words "made with tldraw" on the canvas must stay where they are and stay visible.
- To show none of it, or for what its licence does not allow, you need a licence key from tldraw (https://tldraw.dev).
- A binary built without the page (cargo build --release) has none of tldraw in it.
Its text stands first below.

The Rust standard library is linked: MIT or Apache 2.0, (c) The Rust Project contributors. It brings compiler-builtins and, for
unwinding, LLVM's libunwind (Apache 2.0 with LLVM exceptions). musl, the C library, is linked too: MIT,
(c) 2005-2020 Rich Felker and others; its full text is the MIT licence as it stands in LICENSE-MIT.`]
  for (const name of ['tldraw-sdk.txt', 'third-party.txt', 'fonts.txt', 'mit.txt']) {
    parts.push(`${rule}\nThe page: ${name}\n${rule}\n\n${readFileSync(join(page, name), 'utf8').trim()}`)
  }
  for (const { names, text } of sections(linked)) {
    parts.push(`${rule}\n${names.join('\n')}\n${rule}\n\n${text}`)
  }
  return parts.join('\n\n\n') + '\n'
}

function materials (linked, version, epoch) {
  const sums = checksums()
  const licence = text => text === undefined ? {} : { licenses: [/^(LicenseRef|SEE)/.test(text) ? { license: { name: text } } : { expression: text.replaceAll('/', ' OR ') }] }
  const cargo = linked.map(one => {
    const sum = sums.get(`${one.name} ${one.version}`)
    const purl = `pkg:cargo/${one.name}@${one.version}`
    return { type: 'library', 'bom-ref': purl, name: one.name, version: one.version, purl, ...licence(one.license ?? undefined), ...sum && { hashes: [{ alg: 'SHA-256', content: sum }] } }
  })
  const npm = packages().map(one => {
    const purl = `pkg:npm/${one.name.replace('@', '%40')}@${one.version}`
    const sum = /^sha512-(.*)$/.exec(one.integrity ?? '')?.[1]
    return { type: 'library', 'bom-ref': purl, name: one.name, version: one.version, purl, ...licence(one.license), ...sum && { hashes: [{ alg: 'SHA-512', content: Buffer.from(sum, 'base64').toString('hex') }] } }
  })
  const beside = [['Rust standard library', 'MIT OR Apache-2.0'], ['musl', 'MIT'], ['LLVM libunwind', 'Apache-2.0 WITH LLVM-exception']]
    .map(([name, expression]) => ({ type: 'library', 'bom-ref': name.toLowerCase().replaceAll(' ', '-'), name, licenses: [{ expression }] }))
  const components = [...cargo, ...npm, ...beside]
  const self = { type: 'application', 'bom-ref': `pkg:generic/boardwire@${version}`, name: 'boardwire', version, purl: `pkg:generic/boardwire@${version}`, licenses: [{ expression: 'MIT OR Apache-2.0' }] }
  // The number of the document follows from what it says, so that the same release has the same.
  const hash = createHash('sha256').update(JSON.stringify([self, components])).digest('hex')
  const uuid = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: { timestamp: new Date(epoch * 1000).toISOString(), component: self },
    components
  }
}

const linked = crates()
const version = /^version = "(.*)"$/m.exec(read('Cargo.toml'))[1]
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? 0)
writeFileSync(join(to, 'LICENSES.txt'), licences(linked))
writeFileSync(join(to, 'boardwire.cdx.json'), JSON.stringify(materials(linked, version, epoch), null, 1) + '\n')
console.log(`${linked.length} crates, ${packages().length} packages of the page`)
