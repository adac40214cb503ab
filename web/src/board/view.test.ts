import { expect, test } from 'vitest'
import { readView } from './view'

const kept = (value: unknown) => readView({ getItem: name => name === 'boardwire.view:plan' ? JSON.stringify(value) : null }, 'plan')
const view = { page: 'page:p', x: 1, y: -2, z: 0.5 }

test('what was kept is read as it is', () => {
  expect(kept(view)).toEqual(view)
})

test.each([
  null, 7, [], {}, { ...view, page: 'shape:p' }, { ...view, page: 7 }, { ...view, x: 1e9 }, { ...view, x: null }, { ...view, y: '2' }, { ...view, z: 0 },
  { ...view, z: 1e9 }
])('%j is nothing', value => {
  expect(kept(value)).toBeNull()
})

test('what is no JSON is nothing', () => {
  expect(readView({ getItem: () => '{' }, 'plan')).toBeNull()
})
