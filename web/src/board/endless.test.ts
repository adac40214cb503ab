import { describe, expect, test } from 'vitest'
import { cutsOf, pieces, withCuts } from './endless'

const without = (text: string): string => text.replaceAll('\u200b', '')

describe('words that no browser breaks in time', () => {
  test('are cut beyond 1,000 letters, and no others', () => {
    for (const text of ['x'.repeat(1_000), `${'x'.repeat(1_000)} `.repeat(50), 'x\n'.repeat(5_000), '\u6f22'.repeat(5_000)]) expect(withCuts(text)).toBe(text)
    for (const letter of ['x', '\u00a0', '\u0e17', '\u{1d431}', 'e\u0301', '\u062c']) {
      const text = `before ${letter.repeat(1_001)} after`
      const cut = withCuts(text)
      expect(without(cut)).toBe(text)
      for (const piece of cut.split('\u200b')) expect(piece.length).toBeLessThan(120)
    }
  })

  test('are not piled up on one letter where they are plain', () => {
    expect(withCuts(`e${'\u0301'.repeat(2_000)} after`)).toBe(`e${'\u0301'.repeat(32)} after`)
  })

  test('are seen across texts of one block', () => {
    expect(cutsOf(['x'.repeat(500), 'x'.repeat(500)])).toBeNull()
    expect(cutsOf(['x'.repeat(500), ' ', 'x'.repeat(501)])).toBeNull()
    const cuts = cutsOf(['x'.repeat(150), 'x'.repeat(851)])
    expect(cuts?.map(own => own.length)).toEqual([1, 9])
    expect(cuts?.[1]?.[0]).toBe(50)
    expect(cutsOf(Array.from({ length: 2_000 }, () => 'x'))?.flat()).toHaveLength(19)
  })

  test('are not cut between the parts of one letter', () => {
    const pair = '\u{1d431}'
    const accented = 'e\u0301'
    const family = '\u{1f469}\u200d\u{1f467}'
    for (const letter of [`a${pair}`, pair, accented, `a${accented}`, family]) {
      const text = letter.repeat(1_000)
      const parts = pieces(text, cutsOf([text])?.[0] ?? [])
      expect(parts.join('')).toBe(text)
      for (const part of parts) expect(part).toMatch(/^[^\p{M}\udc00-\udfff\u200d]/u)
    }
  })
})
