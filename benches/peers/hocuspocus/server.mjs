// Hocuspocus as its users run it: node server.mjs PORT [DIRECTORY]. With a directory it stores there, in
// SQLite.
import path from 'node:path'
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const [port, directory] = process.argv.slice(2)
const extensions = directory === undefined ? [] : [new SQLite({ database: path.join(directory, 'hocuspocus.sqlite') })]
// What is not said stays as it comes: stored two seconds after the last change, ten after the first at most.
await new Server({ address: '127.0.0.1', port: Number(port), quiet: true, extensions }).listen()
