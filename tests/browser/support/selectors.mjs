// Where things stand on the page, in one place. Prefer roles and names in tests; these are for what has none.
export const SELECTORS = {
  indicator: '[data-testid=connection]',
  person: '[data-testid=person]'
}
