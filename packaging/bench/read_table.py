"""Reads a table with pandas, the peer of Frostline's reading: CSV or Parquet, with what pandas does by itself.

It says how long the reading took, importing left out, and how many rows there were.
"""

import argparse

from common import Meter, emit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    options = parser.parse_args()

    import pandas
    import pyarrow.parquet  # pandas imports it in the first call

    read = pandas.read_parquet if options.file.endswith(".parquet") else pandas.read_csv
    with Meter() as meter:
        table = read(options.file)
    emit(event="read", seconds=round(meter.seconds, 4), rows=len(table), others=meter.others)


if __name__ == "__main__":
    main()
