from contextlib import AsyncExitStack

import aiobotocore
from aiobotocore.session import get_session

VERSION = aiobotocore.__version__
stack, clients = AsyncExitStack(), []


async def use():
    if not clients:
        made = (get_session().create_client(service) for service in ("sts", "s3"))
        clients.extend([await stack.enter_async_context(client) for client in made])
    sts, s3 = clients
    print((await sts.get_caller_identity())["Arn"])
    await s3.put_object(Bucket="colorado-projects", Key="written/by-aiobotocore", Body=b"1")
    found = await s3.get_object(Bucket="colorado-projects", Key="README.txt")
    async with found["Body"] as body:
        return (await body.read()).decode()
