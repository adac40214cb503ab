// `boardwire board export` writes files with this schema in it, and its import refuses newer ones.
import { createTLSchema, defaultBindingSchemas, defaultShapeSchemas } from 'tldraw'
import { expect, test } from 'vitest'
import written from '../../../src/cli/board/schema.json?raw'

test('the schema that the board tool writes into files is that of this page', () => {
  expect(createTLSchema({ shapes: defaultShapeSchemas, bindings: defaultBindingSchemas }).serialize()).toEqual(JSON.parse(written))
})
