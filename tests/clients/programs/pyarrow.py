import pyarrow as pa
from pyarrow.fs import S3FileSystem

VERSION = pa.__version__
files = S3FileSystem()


def use():
    with files.open_output_stream("colorado-projects/written/by-pyarrow") as stream:
        stream.write(b"1")
    with files.open_input_stream("colorado-projects/README.txt") as stream:
        return stream.read().decode()
