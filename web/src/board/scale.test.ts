import { expect, test } from 'vitest'
import { fitted, PICTURE_SIDE_MAX } from './scale'

test('a picture keeps its shape, and no side is longer than it may be', () => {
  const most = PICTURE_SIDE_MAX
  for (const [width, height, expected] of [
    [most, most - 1, { width: most, height: most - 1 }],
    [most + 1, 10, { width: most, height: 10 }],
    [most * 2, most, { width: most, height: most / 2 }],
    [10, most * 4, { width: 3, height: most }],
    [1, most * 4, { width: 1, height: most }],
    [0, 0, { width: 1, height: 1 }]
  ] as const) expect(fitted({ width, height })).toEqual(expected)
})
