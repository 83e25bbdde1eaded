import deltalake
import polars as pl

VERSION = deltalake.__version__
TABLE = "s3://colorado-projects/written/delta"


def use():
    deltalake.write_deltalake(TABLE, pl.DataFrame({"mm": [200, 294]}), mode="overwrite")
    rows = deltalake.DeltaTable(TABLE).to_pyarrow_table()
    return pl.from_arrow(rows)["mm"].sum()
