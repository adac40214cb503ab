// The examples of a document: fenced blocks of code, each followed by the output that it shows, if it shows
// one.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Api } from './api.mjs'
import { Server } from './server.mjs'

/** How each language is run and checked, what its files are called, and how a comment begins. */
export const LANGUAGES = {
  js: { run: ['node'], check: ['node', '--check'], suffix: '.mjs', comment: '// ' },
  python: { run: ['python3'], check: ['python3', '-m', 'py_compile'], suffix: '.py', comment: '# ' },
  sh: { run: ['sh', '-eu'], check: ['sh', '-n'], suffix: '.sh', comment: '# ' }
}

/**
 * The blocks that are examples, in their order: `{ language, line, name, code, output }`. A first line that is a comment of one
 * file name says under which name the block is saved, for later blocks. `output` is the `text` block after it, or null.
 */
export function examples (markdown) {
  const found = []
  let block = null
  let last = null
  markdown.split('\n').forEach((line, at) => {
    const fence = /^```(\w*)$/.exec(line)
    if (block !== null) {
      if (fence === null) return block.lines.push(line)
      const text = block.lines.map(line => line + '\n').join('')
      if (block.language in LANGUAGES) {
        const { suffix, comment } = LANGUAGES[block.language]
        const first = block.lines[0] ?? ''
        const named = first.startsWith(comment) && /^[\w-]+\.\w+$/.test(first.slice(comment.length)) && first.endsWith(suffix)
        const name = named ? first.slice(comment.length) : `line-${block.line}${suffix}`
        last = { language: block.language, line: block.line, name, code: text, output: null }
        found.push(last)
      } else {
        if (block.language === 'text' && last !== null) last.output = text
        last = null
      }
      block = null
    } else if (fence !== null) block = { language: fence[1], line: at + 1, lines: [] }
    else if (line !== '') last = null
  })
  if (block !== null) throw new Error(`the block of line ${block.line} has no end`)
  return found
}

/** Whether `actual` is the output that is shown, in which `<word>` stands for anything without white space and quotes. */
export function shows (expected, actual) {
  const literal = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const pattern = expected.split(/<\w+>/).map(literal).join('[^\\s"\']+')
  return new RegExp(`^${pattern}$`).test(actual)
}

/** Runs a command to its end: `{ code, signal, stdout, stderr }`; a command that is not there rejects. */
export function run ([command, ...rest], { cwd, env, deadlineMs = 30_000 }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: deadlineMs, killSignal: 'SIGKILL' })
    const read = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', chunk => { read[name] += chunk })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...read }))
  })
}

/** Saves an example under its name in `directory`, and returns the path. */
export function save (example, directory) {
  const path = join(directory, example.name)
  writeFileSync(path, example.code)
  return path
}

/** What examples run against: a server with the board `plan` and a key that may edit it, and a folder of their own. */
export async function stand (keyName) {
  const cwd = mkdtempSync(join(tmpdir(), 'boardwire-examples-'))
  const server = await Server.start()
  const alice = Api.user(server)
  await alice.create('plan')
  const { key } = await alice.key('plan', 'edit', keyName)
  const env = { PATH: process.env.PATH, HOME: process.env.HOME ?? tmpdir(), BOARDWIRE_URL: server.http, BOARDWIRE_KEY: key, PYTHONDONTWRITEBYTECODE: '1' }
  const dispose = () => {
    server.dispose()
    rmSync(cwd, { recursive: true, force: true })
  }
  return { alice, cwd, dispose, env, server }
}
