"""Report of result bundles, as one HTML file that needs no network."""

from brainlm.results.report.array_tables import bundle_tables, comparison_table
from brainlm.results.report.page import csv_folder, report_page, report_tables, write_report

__all__ = [
    "bundle_tables",
    "comparison_table",
    "csv_folder",
    "report_page",
    "report_tables",
    "write_report",
]
