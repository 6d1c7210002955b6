# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/fuzz does: builds, campaigns, corpora, coverage, and inputs as text."""
