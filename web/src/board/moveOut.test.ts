import { expect, test } from 'vitest'
import { srcOf } from './assetAddress'
import { isToMove } from './moveOut'
import { imageAsset } from './testing'

const sha256 = 'ab'.repeat(32)

test('what lies in the document and is large, or beside another board, is moved', () => {
  const large = 'data:image/png;base64,' + 'A'.repeat(8000)
  for (const [src, expected] of [
    [large, true], [large.slice(0, 100), false], ['', false], ['https://example.com/a.png', false],
    [srcOf('here', sha256), false], [srcOf('there', sha256), true]
  ] as const) expect(isToMove(imageAsset('a', src), 'here'), src.slice(0, 60)).toBe(expected)
})
