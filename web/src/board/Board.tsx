import type { Credentials } from '../credentials'

export default function Board ({ id }: { id: string, credentials: Credentials }) { return <main>{id}</main> }
