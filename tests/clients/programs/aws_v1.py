import subprocess

COMMAND = "aws"
BUCKET = "s3://colorado-projects"


def aws(*arguments, stdin=None):
    done = subprocess.run(
        [COMMAND, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def version():
    return aws("--version").split()[0].partition("/")[2]


VERSION = version()


def use():
    print(aws("sts", "get-caller-identity", "--query", "Arn"))
    aws("s3", "cp", "-", f"{BUCKET}/written/by-aws", stdin="1")
    return aws("s3", "cp", f"{BUCKET}/README.txt", "-")
