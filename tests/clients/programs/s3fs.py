import s3fs

VERSION = s3fs.__version__
files = s3fs.S3FileSystem()


def use():
    files.pipe("colorado-projects/written/by-s3fs", b"1")
    return files.cat("colorado-projects/README.txt").decode()
