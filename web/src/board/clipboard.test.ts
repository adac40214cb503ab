import { expect, test } from 'vitest'
import type { TLContent } from 'tldraw'
import { clipboardJson } from './clipboard'

test('copied shapes stay what they are whatever reads the HTML around them', () => {
  const text = 'a  b   c </div><b>&amp; "q" \u00a0\u200b \ud83c\udfa8 \\u003c\n'
  const content = { shapes: [{ props: { text } }], bindings: [], rootShapeIds: [], assets: [], schema: {} } as unknown as TLContent
  const json = clipboardJson(content)
  expect(json).toMatch(/^[\x20-\x7e]+$/)
  expect(json).not.toMatch(/[<>&]| {2}/)
  expect(JSON.parse(json)).toEqual({ type: 'application/tldraw', kind: 'content', version: 2, data: content })
})
