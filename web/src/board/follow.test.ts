import { expect, test } from 'vitest'
import { leadsTo } from './follow'

test('who follows one over others is not followed: all would chase each other', () => {
  const follows: Record<string, string> = { 'b#2': 'c#3', 'c#3': 'a#1', 'd#4': 'e#5', 'e#5': 'd#4', 'f#6': '' }
  const leads = (from: string): boolean => leadsTo(from, 1, one => follows[one] ?? '')
  expect(['a#1', 'b#2', 'c#3', 'd#4', 'f#6', ''].map(leads)).toEqual([true, true, true, false, false, false])
  expect(leads('gone#11')).toBe(false)
})
