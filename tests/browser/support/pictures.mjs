// Pictures as tests bring them: PNGs of noise, so that no compression makes them small, each unlike the
// others.
import { crc32, deflateSync } from 'node:zlib'

/** The bytes of a PNG of noise. */
export function noisePng (seed, width, height) {
  const rows = Buffer.alloc(height * (1 + 3 * width))
  let state = seed + 1
  for (let at = 0; at < rows.length; at++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0
    rows[at] = at % (1 + 3 * width) === 0 ? 0 : state >>> 24
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8)
  const parts = [['IHDR', header], ['IDAT', deflateSync(rows)], ['IEND', Buffer.alloc(0)]]
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts.map(([name, content]) => chunk(name, content))])
}

function chunk (name, content) {
  const named = Buffer.concat([Buffer.from(name), content])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(content.length)
  check.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, check])
}
