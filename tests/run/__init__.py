# SPDX-License-Identifier: MIT
"""Running the tests: command (tiers and options), suites (what there is to run), results (summing
up KTAP). What test scripts of their own share is in case."""
