"""The official MCP client of Python against a Boardwire: what it lists, draws, reads and is refused, as JSON.

python mcp_client.py MODE URL KEY            over HTTP
python mcp_client.py MODE URL KEY BINARY     through `boardwire mcp`, on standard input and output

MODE is `legacy`, or a revision of the protocol. Run by tests/node/mcp.test.mjs.
"""

import asyncio
import json
import sys

import httpx2
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def transport(url, key, binary):
    if binary is None:
        http = httpx2.AsyncClient(headers={'Authorization': f'Bearer {key}'}, timeout=60)
        return streamable_http_client(url + '/mcp', http_client=http)
    return stdio_client(StdioServerParameters(command=binary, args=['mcp', '--url', url], env={'BOARDWIRE_KEY': key}))


async def main(mode, url, key, binary=None):
    async with Client(transport(url, key, binary), mode=mode) as client:
        tools = await client.list_tools()
        drawn = await client.call_tool('draw', {
            'items': [{'id': f'py-{n}', 'type': 'sticky', 'x': 300 * n, 'y': 500, 'content': {'text': f'Note {n}'}} for n in range(2)]
            + [{'id': 'py-line', 'type': 'connector', 'from': {'item': 'py-0'}, 'to': {'item': 'py-1'}}],
        })
        refused = await client.call_tool('change', {'changes': [{'id': 'nothing', 'x': 1}]})
        resources = await client.list_resources()
        board = await client.read_resource(resources.resources[0].uri)
        gone = await client.call_tool('delete', {'ids': ['py-0', 'py-1', 'py-line']})
        print(json.dumps({
            'tools': [tool.name for tool in tools.tools],
            'drawn': drawn.content[0].text,
            'refused': [refused.is_error, refused.content[0].text],
            'board': board.contents[0].text,
            'gone': gone.content[0].text,
        }))


asyncio.run(main(*sys.argv[1:]))
