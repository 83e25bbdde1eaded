import polars as pl

VERSION = pl.__version__
RAIN = "s3://colorado-projects/2025/rainfall.csv"


def use():
    pl.scan_csv(RAIN).sink_parquet("s3://colorado-projects/written/by-polars")
    return pl.scan_csv(RAIN).sum().collect()["mm"].item()
