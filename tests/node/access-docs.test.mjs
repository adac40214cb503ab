// Promise: the examples of docs/access.md work as they stand there, in Node, Python and curl, and print what
// the page shows.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { LANGUAGES, examples, run, save, shows } from './support/examples.mjs'
import { BINARY, Server } from './support/server.mjs'
import { SECRET, seconds } from './support/token.mjs'

const page = examples(readFileSync(new URL('../../docs/access.md', import.meta.url), 'utf8'))
const where = example => `docs/access.md, line ${example.line}`

/** What an example may rely on: the two variables of the page, and `boardwire` in the path. */
const environment = url => ({
  PATH: dirname(BINARY) + delimiter + process.env.PATH,
  HOME: process.env.HOME ?? tmpdir(),
  BOARDWIRE_URL: url,
  BOARDWIRE_JWT_SECRET: SECRET,
  PYTHONDONTWRITEBYTECODE: '1'
})

const directory = t => {
  const made = mkdtempSync(join(tmpdir(), 'boardwire-examples-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

describe('examples of a page', () => {
  test('are its blocks of code, with their names and the output right after them', () => {
    const markdown = ['# T', '```js', '// a.mjs', 'x', '```', '', '```text', 'out', '```', '```text', 'lost', '```',
      '```sh', '# not.a name', '```', 'prose', '```text', 'lost', '```', '```json', '{}', '```', '```python', '```'].join('\n')
    assert.deepEqual(examples(markdown), [
      { language: 'js', line: 2, name: 'a.mjs', code: '// a.mjs\nx\n', output: 'out\n' },
      { language: 'sh', line: 13, name: 'line-13.sh', code: '# not.a name\n', output: null },
      { language: 'python', line: 23, name: 'line-23.py', code: '', output: null }
    ])
    assert.throws(() => examples('```js\nx\n'), /line 1 has no end/)
  })

  test('print what is shown, where a word in angle brackets stands for any one word', () => {
    for (const [expected, actual, same] of [
      ['a\n', 'a\n', true],
      ['a\n', 'a', false],
      ['a\n', 'a\nb\n', false],
      ['a.c\n', 'abc\n', false],
      ['<id> bw_<secret> view\n', 'x-1 bw_yZ view\n', true],
      ['<id>\n', '\n', false],
      ['<id>\n', 'a b\n', false],
      ['"<id>"\n', '"a","b"\n', false]
    ]) assert.equal(shows(expected, actual), same, JSON.stringify([expected, actual]))
  })
})

describe('docs/access.md', () => {
  test('shows every call in every language', () => {
    for (const language of Object.keys(LANGUAGES)) {
      const code = page.filter(example => example.language === language).map(example => example.code).join('\n')
      for (const part of ['/v1/boards', 'users/', 'teams/', 'public', '/links', '/keys', '/audit', 'share=', 'X-API-Key', 'DELETE', 'limit=']) {
        assert.ok(code.includes(part), `${language} shows no ${part}`)
      }
    }
    for (const example of page) {
      const helper = !example.name.startsWith('line-')
      assert.equal(example.output === null, helper, `${where(example)}: either it is saved for later, or it shows what it prints`)
    }
  })

  test('has no error of syntax', async t => {
    const cwd = directory(t)
    for (const example of page) {
      const path = save(example, cwd)
      const ended = await run([...LANGUAGES[example.language].check, path], { cwd, env: environment('http://127.0.0.1:1') })
      assert.equal(ended.code, 0, `${where(example)}: ${ended.stderr}`)
    }
  })

  test('mints tokens that are signed with the secret and say what was asked for', async t => {
    const cwd = directory(t)
    for (const example of page) save(example, cwd)
    const env = environment('http://127.0.0.1:1')
    for (const command of [
      ['node', '--input-type=module', '-e', "import { token } from './boardwire.mjs'; console.log(token('alice', { teams: ['design'] }))"],
      ['python3', '-c', "from boardwire import token; print(token('alice', teams=['design']))"],
      ['sh', '-euc', '. ./boardwire.sh; boardwire token --sub alice --team design --expires-in 1h']
    ]) {
      const { code, stdout, stderr } = await run(command, { cwd, env })
      assert.equal(code, 0, `${command[0]}: ${stderr}`)
      const [header, claims, signature] = stdout.trim().split('.')
      const json = text => JSON.parse(Buffer.from(text, 'base64url').toString())
      assert.equal(signature, createHmac('sha256', SECRET).update(`${header}.${claims}`).digest('base64url'), command[0])
      assert.deepEqual(json(header), { alg: 'HS256', typ: 'JWT' })
      const { exp, iat, ...rest } = json(claims)
      assert.deepEqual(rest, { sub: 'alice', teams: ['design'] }, command[0])
      assert.ok(Math.abs(exp - seconds(3600)) < 30, command[0])
    }
  })
})

describe('docs/access.md against a server', () => {
  let server
  let cwd
  before(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'boardwire-examples-'))
    server = await Server.start()
  })
  after(() => {
    server?.dispose()
    rmSync(cwd, { recursive: true, force: true })
  })

  for (const example of page) {
    test(`${where(example)}: ${example.language}`, async () => {
      const path = save(example, cwd)
      const ended = await run([...LANGUAGES[example.language].run, path], { cwd, env: environment(server.http) })
      assert.equal(ended.code, 0, `it ends well; printed:\n${ended.stdout}\n${ended.stderr}\nlog:\n${server.tail}`)
      if (example.output === null) return
      assert.ok(shows(example.output, ended.stdout), `the page shows:\n${example.output}\nit printed:\n${ended.stdout}`)
    })
  }
})
