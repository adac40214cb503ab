# Writes hocuspocus.sqlite beside this file, as Hocuspocus has SQLite write its documents; yjs comes from
# tests/node: python3 tests/it/keeping/sqlite.py
import base64
import json
import os
import sqlite3
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
UPDATES = '''
const Y = require('yjs')
const update = (client, key, value) => {
  const doc = new Y.Doc()
  doc.clientID = client
  doc.getMap('map').set(key, value)
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64')
}
const made = [['small', update(1, 'said', 'hello')], ['large', update(2, 'text', '0123456789'.repeat(900))]]
for (let n = 0; n < 40; n++) made.push([`many-${n}`, update(10 + n, 'n', `${n} ${'x'.repeat(300)}`)])
console.log(JSON.stringify(made))
'''
node = subprocess.run(['node', '-e', UPDATES], cwd=os.path.join(HERE, '../../node'), capture_output=True, check=True)
path = os.path.join(HERE, 'hocuspocus.sqlite')
if os.path.exists(path):
    os.remove(path)
database = sqlite3.connect(path)
database.execute('CREATE TABLE IF NOT EXISTS "documents" ("name" varchar(255) NOT NULL,"data" blob NOT NULL,UNIQUE(name))')
for name, data in json.loads(node.stdout):
    database.execute('INSERT INTO "documents" ("name", "data") VALUES (?, ?)', (name, base64.b64decode(data)))
database.commit()
database.close()
