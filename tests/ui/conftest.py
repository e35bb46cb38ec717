"""Pages and their parts."""

from tests.app_tests import packages_scanned_once as packages_scanned_once
from tests.app_tests import what_was_frozen_stays_so as what_was_frozen_stays_so
