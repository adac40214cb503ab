import { expect, test } from 'vitest'
import { withoutText } from './licenses'

test('a package without the text of its license is found', () => {
  const gathered = '# Licenses\n\nThe app bundles:\n\n## a - 1.0.0 (MIT)\n\nMIT License\n\n## Terms\n\ntext\n\n## @b/c - 2.0.0 (ISC)\n\n## d - 3.0.0 (MIT)\n\ntext\n\n## e - 4.0.0 (MIT)\n'
  expect(withoutText(gathered)).toEqual(['@b/c - 2.0.0 (ISC)', 'e - 4.0.0 (MIT)'])
  expect(withoutText('# Licenses\n')).toEqual([])
})
