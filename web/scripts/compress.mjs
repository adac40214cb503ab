// Writes a .br and a .gz beside each file of dist/ that gets smaller by it, so that the server compresses
// nothing itself.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** A sibling must save this much, or it is not worth its place in the binary. */
const WORTH_IT = 0.95

/** Below this an answer fits one packet either way. */
const SMALLEST_BYTES = 1024

const ENCODINGS = [
  {
    suffix: '.br',
    compress: bytes => promisify(brotliCompress)(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
    })
  },
  { suffix: '.gz', compress: bytes => promisify(gzip)(bytes, { level: 9 }) }
]

const sums = { plain: 0, '.br': 0, '.gz': 0 }
const entries = await readdir(DIST, { recursive: true, withFileTypes: true })
const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath ?? entry.path, entry.name))
await Promise.all(files.map(async path => {
  const bytes = await readFile(path)
  sums.plain += bytes.length
  if (bytes.length < SMALLEST_BYTES) return
  for (const { suffix, compress } of ENCODINGS) {
    const compressed = await compress(bytes)
    if (compressed.length >= bytes.length * WORTH_IT) continue
    await writeFile(path + suffix, compressed)
    sums[suffix] += compressed.length
  }
}))
console.log(`compressed ${files.length} files of ${sums.plain} bytes: .br ${sums['.br']}, .gz ${sums['.gz']}`)
