"""Pages and their parts."""

from tests.app_tests import packages_scanned_once as packages_scanned_once
