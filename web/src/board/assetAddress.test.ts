import { expect, test } from 'vitest'
import { assetAddress, srcOf } from './assetAddress'

const sha256 = 'ab'.repeat(32)

test('an address is read as it was written, and nothing else is one', () => {
  expect(assetAddress(srcOf('a.b_c~d-e', sha256))).toEqual({ board: 'a.b_c~d-e', sha256 })
  for (const other of [
    '', 'data:image/png;base64,AAAA', `https://host/v1/boards/a/assets/${sha256}`, `/v1/boards/a/assets/${sha256}?token=x`,
    `/v1/boards/a/b/assets/${sha256}`, `/v1/boards/a/assets/${sha256.toUpperCase()}`, `/v1/boards/a/assets/../${sha256}`,
    `/v1/boards//assets/${sha256}`, `/v1/boards/a/assets/${sha256}0`, `./v1/boards/a/assets/${sha256}`
  ]) expect(assetAddress(other), other).toBeNull()
})
