#!/usr/bin/env node
// Wraps prose, in documents and in whole-line comments, at 110 columns. `--check` only says where it is not.
//
// A paragraph is wrapped anew only where a line of it is too long. Tables, code blocks, headings and images
// are left as they are, and links and code are not broken.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const COLUMNS = 110
const COMMENT = /^(\s*)(\/\/[\/!]?|#)( .*|)$/
const ITEM = /^(\s*)([-*]|\d+\.)\s+/

/** The kind of a file: what of it is prose. */
function kindOf (name, text) {
  if (name.endsWith('.md')) return 'document'
  if (/\.(rs|ts|tsx|mjs|js)$/.test(name)) return '//'
  return /\.(sh|toml|yml|yaml)$/.test(name) || text.startsWith('#!/usr/bin/env bash') ? '#' : undefined
}

/** Cuts words into lines of at most `columns`, but for words that are longer. */
function fill (words, columns, first, rest) {
  const lines = []
  let line = first
  let isEmpty = true
  for (const word of words) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = rest
      isEmpty = true
    }
    line += (isEmpty ? '' : ' ') + word
    isEmpty = false
  }
  return [...lines, line]
}

/** Wraps prose whose lines bear a prefix of so many columns elsewhere. */
function wrapProse (lines, taken) {
  const columns = COLUMNS - taken
  const out = []
  let paragraph = []
  let fenced = false
  const flush = () => {
    if (paragraph.some(line => line.length > columns)) {
      const item = ITEM.exec(paragraph[0])
      const first = item ? item[0] : /^\s*/.exec(paragraph[0])[0]
      const rest = item ? ' '.repeat(item[0].length) : first
      const text = [paragraph[0].slice(first.length), ...paragraph.slice(1)].join(' ')
      // A link, and what stands as code, is one word.
      const whole = text.replace(/\[[^\]]*\]\([^)]*\)|`[^`]*`/g, word => word.replace(/\s+/g, '\0'))
      const words = whole.split(/\s+/).filter(Boolean).map(word => word.replaceAll('\0', ' '))
      out.push(...fill(words, columns, first, rest))
    } else out.push(...paragraph)
    paragraph = []
  }
  for (const line of lines) {
    const text = line.trim()
    const fence = text.startsWith('```')
    if (fence) fenced = !fenced
    const isProse = !fenced && !fence && text !== '' && !/^(\||#{1,6} |<|!\[|\[[^\]]+\]: )/.test(text)
    if (!isProse) {
      flush()
      out.push(line)
      continue
    }
    if (ITEM.test(line)) flush()
    paragraph.push(line)
  }
  flush()
  return out
}

/** Wraps the comments that stand on lines of their own. */
function wrapComments (lines, sign) {
  const out = []
  let block = []
  let prefix
  const flush = () => {
    if (block.length === 0) return
    const wrapped = wrapProse(block, prefix.length + 1)
    out.push(...wrapped.map(line => line === '' ? prefix : `${prefix} ${line}`))
    block = []
  }
  for (const line of lines) {
    const found = COMMENT.exec(line)
    const here = found && found[2].startsWith(sign) ? found[1] + found[2] : undefined
    if (here === undefined || here !== prefix) flush()
    if (here === undefined) out.push(line)
    else block.push(found[3].slice(1))
    prefix = here
  }
  flush()
  return out
}

const isCheck = process.argv.includes('--check')
const named = process.argv.slice(2).filter(argument => !argument.startsWith('--'))
const files = named.length > 0 ? named : execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n')
let wrong = 0
for (const name of files.filter(name => name !== '' && !/(^|\/)licenses\/|package-lock|\.lock$/.test(name))) {
  let text
  try { text = readFileSync(name, 'utf8') } catch { continue }
  const kind = kindOf(name, text)
  if (kind === undefined) continue
  const lines = text.split('\n')
  const wrapped = kind === 'document' ? wrapProse(lines, 0) : wrapComments(lines, kind)
  if (wrapped.join('\n') === text) continue
  wrong++
  if (isCheck) console.error(`${name}: a line of prose is longer than ${COLUMNS} columns; scripts/wrap.mjs wraps it`)
  else writeFileSync(name, wrapped.join('\n'))
}
if (isCheck && wrong > 0) process.exit(1)
