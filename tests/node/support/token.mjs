// Tokens minted with node:crypto alone, so that they check our verifier instead of repeating it.
import { createHmac } from 'node:crypto'

/** The secret of every test server. */
export const SECRET = 'the-secret-of-the-node-tests-is-40-bytes'

const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }
const segment = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Seconds since 1970, `offset` seconds from now. */
export const seconds = (offset = 0) => Math.floor(Date.now() / 1000) + offset

/** A JWT with `claims` (which may take `exp` away by `undefined`); `alg` none has an empty signature. */
export function mint (claims = {}, { secret = SECRET, alg = 'HS256', header = {} } = {}) {
  const input = segment({ alg, typ: 'JWT', ...header }) + '.' + segment({ sub: 'alice', exp: seconds(3600), ...claims })
  const hash = HASHES[alg]
  return input + '.' + (hash === undefined ? '' : createHmac(hash, secret).update(input).digest('base64url'))
}

/** A token of `sub` with `level` on `board`. */
export const tokenFor = (board, { sub = 'alice', level = 'edit', ...claims } = {}) =>
  mint({ sub, boards: { [board]: level }, ...claims })

/** A token that may do everything. */
export const adminToken = () => mint({ sub: 'root', role: 'admin' })
