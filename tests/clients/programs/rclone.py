import atexit
import json
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from pathlib import Path

VERSION = re.search(r"v([\d.]+)", subprocess.check_output(["rclone", "version"], text=True))[1]
BUCKET = ":s3,provider=AWS,env_auth=true,region=us-east-2:colorado-projects"
folder = tempfile.mkdtemp()
# One process for all, as a mount is. It can't do with CA certificates of AWS's own name.
environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
daemon = subprocess.Popen(
    ["rclone", "rcd", "--rc-no-auth", "--rc-addr=127.0.0.1:0", "--retries=1"],
    env=environment,
    stderr=subprocess.PIPE,
    text=True,
)
atexit.register(daemon.kill)
url = next(found[0] for line in daemon.stderr if (found := re.search(r"http://\S+", line)))


def copy(source, name, target, new_name):
    order = {"srcFs": source, "srcRemote": name, "dstFs": target, "dstRemote": new_name}
    request = urllib.request.Request(
        f"{url}operations/copyfile",
        json.dumps(order).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from error


def use():
    Path(folder, "README.txt").unlink(missing_ok=True)
    copy(BUCKET, "README.txt", folder, "README.txt")
    copy(folder, "README.txt", BUCKET, f"written/{uuid.uuid4()}")
    return Path(folder, "README.txt").read_text()
