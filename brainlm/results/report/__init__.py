"""Report of result bundles, as one HTML file that needs no network."""

from brainlm.results.report.array_tables import bundle_tables, comparison_table
from brainlm.results.report.page import report_page, write_report

__all__ = ["bundle_tables", "comparison_table", "report_page", "write_report"]
