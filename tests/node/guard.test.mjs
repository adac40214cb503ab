// scripts/guard's judgement on planted figures. What it measures is judged by scripts/guard itself.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const { judge, lower } = createRequire(import.meta.url)('../../scripts/guard')

const kept = { 'bytes written': { unit: 'an update', figure: 1000 } }
const judged = figure => judge(kept, { 'bytes written': { unit: 'an update', figure } })

test('a figure that grew by more than a tenth fails, is named, and says what to do', () => {
  const { lines, grown } = judged(1101)
  assert.deepEqual(grown, ['bytes written'])
  assert.match(lines[0], /^bytes written: was 1000 an update, is 1101 \(\+10\.1 %\): GREW\. .*scripts\/guard --set/)
})

test('a figure that grew by a tenth or less passes', () => {
  for (const figure of [1100, 1000, 900]) {
    const { lines, grown } = judged(figure)
    assert.deepEqual(grown, [])
    assert.doesNotMatch(lines[0], /--set/)
  }
})

test('a figure that fell by more than a tenth passes and asks to be kept', () => {
  const { lines, grown } = judged(899)
  assert.deepEqual(grown, [])
  assert.match(lines[0], /is 899 \(-10\.1 %\): better\. .*scripts\/guard --set/)
})

test('a figure that was not measured is said and not judged', () => {
  assert.deepEqual(judge(kept, {}), { lines: ['bytes written: not measured'], grown: [] })
})

test('a figure that nobody set yet fails, so that none is measured in vain', () => {
  const { lines, grown } = judge({}, { 'bytes written': { unit: 'an update', figure: 5 } })
  assert.deepEqual(grown, ['bytes written'])
  assert.match(lines[0], /no figure yet: scripts\/guard --set/)
})

test('of two that were measured the lower figure counts, so that what grew in both fails', () => {
  const of = figure => ({ 'bytes written': { unit: 'an update', figure } })
  assert.deepEqual(lower(of(1200), of(1050)), of(1050))
  assert.deepEqual(judge(kept, lower(of(1200), of(1150))).grown, ['bytes written'])
  assert.deepEqual(lower(of(1200), {}), of(1200))
})
