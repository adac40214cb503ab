// For programs that need `fs.globSync`, which Node has from version 22 on: `node --import` this file lets
// them start on older ones. What they would list with it is empty.
import fs from 'node:fs'
import { register } from 'node:module'

const shim = `export * from 'node:fs'
export { default } from 'node:fs'
export const globSync = () => []`
const hooks = `export const resolve = (specifier, context, next) => specifier === 'fs' && !context.parentURL?.startsWith('data:')
  ? { url: 'data:text/javascript,' + ${JSON.stringify(encodeURIComponent(shim))}, shortCircuit: true }
  : next(specifier, context)`
if (fs.globSync === undefined) register('data:text/javascript,' + encodeURIComponent(hooks))
