"""Types commands into a terminal of a real server."""

import asyncio
import json


async def terminal(jp_ws_fetch, name, command, until):
    """Type a command into a terminal; return its output from the first brace to `until`."""
    socket = await jp_ws_fetch("terminals", "websocket", name)
    # The marker is joined by the shell, so that the echo of the typed line does not hold it.
    await socket.write_message(
        json.dumps(["stdin", f"printf 'BEG''IN'; {command}; printf 'E''ND'\r"])
    )
    said = ""
    async with asyncio.timeout(60):
        while "END" not in said:
            kind, *content = json.loads(await socket.read_message())
            said += content[0] if kind == "stdout" else ""
    socket.close()
    printed = said.partition("BEGIN")[2].partition("END")[0].replace("\r", "")
    return printed[printed.index("{") : printed.rindex(until) + 1]
