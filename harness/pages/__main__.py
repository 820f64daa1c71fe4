"""`python -m harness.pages` writes into the pages what is made from the code."""

from harness.pages.written import WRITTEN

for part in WRITTEN:
    part.renew()
