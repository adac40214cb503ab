// `boardwire board export` writes files with this schema in it, and its import refuses newer ones.
import { readFileSync } from 'node:fs'
import { createTLSchema, defaultBindingSchemas, defaultShapeSchemas } from 'tldraw'
import { expect, test } from 'vitest'

test('the schema that the board tool writes into files is that of this page', () => {
  const written: unknown = JSON.parse(readFileSync('../src/cli/board/schema.json', 'utf8'))
  expect(createTLSchema({ shapes: defaultShapeSchemas, bindings: defaultBindingSchemas }).serialize()).toEqual(written)
})
