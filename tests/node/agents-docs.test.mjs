// Promise: with only docs/agents.md an agent draws a diagram, by MCP, Python and curl, and answers people;
// and what docs/llms.txt teaches models is true.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { LANGUAGES, examples, run, save, shows, stand } from './support/examples.mjs'
import { BINARY } from './support/server.mjs'

const read = name => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

for (const document of ['agents.md', 'llms.txt']) {
  describe(`the examples of docs/${document}`, () => {
    let server
    let alice
    let cwd
    let env
    let dispose
    before(async () => { ({ alice, cwd, dispose, env, server } = await stand('Architect')) })
    after(() => dispose?.())

    const page = examples(read(document))
    assert.ok(page.length > 2)
    for (const example of page) {
      test(`line ${example.line}: ${example.language}`, async () => {
        // Somebody has asked something by then.
        if (example.name === 'answer.py') await alice.ok('POST', '/v1/boards/plan/items', { id: 'question', type: 'sticky', x: 100, y: -500, content: { text: 'Where are the logs?' } })
        const path = save(example, cwd)
        const ended = await run([...LANGUAGES[example.language].run, path], { cwd, env })
        assert.equal(ended.code, 0, `it ends well; printed:\n${ended.stdout}\n${ended.stderr}\nlog:\n${server.tail}`)
        if (example.output !== null) assert.ok(shows(example.output, ended.stdout), `the page shows:\n${example.output}\nit printed:\n${ended.stdout}`)
      })
    }

    if (document === 'agents.md') {
      test('the architecture lies in its frames, and somebody was answered', async () => {
        const items = await alice.all('/v1/boards/plan/items')
        const count = type => items.filter(item => item.type === type && item.created_by?.startsWith('key:')).length
        assert.deepEqual([count('frame'), items.filter(item => item.type === 'shape' && item.parent !== undefined).length], [3, 12])
        const drawn = items.filter(item => /^c\d+$/.test(item.id))
        assert.equal(drawn.length, 15)
        for (const { from, to, content } of drawn) assert.ok(from.item && to.item && content.text)
        const answers = items.filter(item => item.type === 'connector' && item.to.item === 'question')
        assert.equal(answers.length, 1)
      })

      const settings = [...read(document).matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text).mcpServers.board)
      test('the settings of assistants connect one to the board', async () => {
        assert.equal(settings.length, 2)
        for (const { url, headers, command, args, env: own } of settings) {
          const here = text => text.replace('http://127.0.0.1:8080', server.http).replace('YOUR_KEY', env.BOARDWIRE_KEY)
          const filled = all => Object.fromEntries(Object.entries(all).map(([name, value]) => [name, here(value)]))
          const transport = url !== undefined
            ? new StreamableHTTPClientTransport(new URL(here(url)), { requestInit: { headers: filled(headers) } })
            : new StdioClientTransport({ command: command === 'boardwire' ? BINARY : command, args: args.map(here), env: filled(own) })
          const client = new Client({ name: 'docs', version: '1' })
          await client.connect(transport)
          const told = await client.callTool({ name: 'read_board', arguments: { type: 'frame' } })
          assert.match(told.content[0].text, /^frame clients .*"Clients"$/m)
          const { tools } = await client.listTools()
          for (const { name } of tools) assert.ok(read(document).includes('`' + name + '`'), `${name} is told of`)
          await client.close()
        }
      })
    } else {
      test('it has at most 2,000 words, and names each type, style and geo that there is', async () => {
        const text = read(document)
        assert.ok(text.split(/\s+/).length <= 2000)
        const served = await fetch(server.http + '/llms.txt')
        assert.equal(await served.text(), text)
        const openapi = read('openapi.yaml')
        const types = /enum: \[(sticky, [^\]]*)\]/.exec(openapi)[1].split(', ')
        for (const word of types) assert.ok(text.includes('`' + word + '`'), word)
      })
    }
  })
}
