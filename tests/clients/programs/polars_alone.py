import polars as pl

# As polars does by itself where boto3 is not installed.
VERSION = pl.__version__
RAIN = "s3://colorado-projects/2025/rainfall.csv"


def use():
    pl.scan_csv(RAIN, credential_provider=None).sink_parquet(
        "s3://colorado-projects/written/by-polars-alone", credential_provider=None
    )
    return pl.scan_csv(RAIN, credential_provider=None).sum().collect()["mm"].item()
