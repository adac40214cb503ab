import { describe, expect, test } from 'vitest'
import { toRichText } from 'tldraw'
import { RecordReader } from './records'
import { arrow, geo, newStore } from './testing'

const reader = new RecordReader(newStore().schema)

function isShown (richText: unknown): boolean {
  const shape = geo('a')
  return reader.read('shape:a', { ...shape, props: { ...shape.props, richText } }) !== null
}

describe('words that no browser breaks in time', () => {
  test('are not shown beyond 1,000 letters', () => {
    expect(isShown(toRichText('x'.repeat(1_000)))).toBe(true)
    expect(isShown(toRichText('x'.repeat(1_001)))).toBe(false)
    expect(isShown(toRichText('x '.repeat(50_000)))).toBe(true)
    expect(isShown(toRichText('\u6f22'.repeat(5_000)))).toBe(true)
  })

  test('are seen across marks, and in labels of arrows', () => {
    const half = { type: 'text', text: 'x'.repeat(501) }
    const bold = { ...half, marks: [{ type: 'bold' }] }
    const paragraph = (...content: unknown[]): unknown => ({ type: 'paragraph', content })
    expect(isShown({ type: 'doc', content: [paragraph(half, bold)] })).toBe(false)
    expect(isShown({ type: 'doc', content: [paragraph(half), paragraph(bold)] })).toBe(true)
    const labelled = arrow('a')
    const read = (text: string): unknown => reader.read('shape:a', { ...labelled, props: { ...labelled.props, text } })
    expect(read('yes')).not.toBeNull()
    expect(read('x'.repeat(1_001))).toBeNull()
  })
})
