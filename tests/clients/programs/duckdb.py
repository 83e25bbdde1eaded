from pathlib import Path

import duckdb
import duckdb_extension_aws
import duckdb_extension_httpfs

VERSION = duckdb.__version__
RAIN = "s3://colorado-projects/2025/rainfall.csv"
WRITTEN = "s3://colorado-projects/written/by-duckdb.csv"
database = duckdb.connect()
for package in duckdb_extension_httpfs, duckdb_extension_aws:
    (extension,) = Path(package.__file__).parent.rglob("*.duckdb_extension")
    database.load_extension(str(extension))
database.sql("CREATE SECRET (TYPE s3, PROVIDER credential_chain, REFRESH auto)")


def read():
    return int(database.sql(f"SELECT sum(mm) FROM '{RAIN}'").fetchall()[0][0])


def write():
    database.sql(f"COPY (SELECT 1 AS one) TO '{WRITTEN}'")


def use():
    read_before_write = read()
    write()
    return read_before_write
