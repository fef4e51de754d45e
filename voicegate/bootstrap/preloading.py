"""What libraries would load in the middle of a request, loaded at start.

A file that cannot be opened then (no descriptor is left, or the installation was replaced under the daemon)
would fail the request; phonenumbers (9.0, `PhoneMetadata.metadata_for_region`) also keeps its lock when a
load fails, and whoever next asks for a region that is not there yet waits for ever.
"""

from phonenumbers.phonemetadata import PhoneMetadata
from phonenumbers.shortnumberinfo import SUPPORTED_SHORT_REGIONS


def preload() -> None:
    """Load all that is known of telephone numbers. Blocks for a quarter of a second, the first time."""
    PhoneMetadata.load_all()
    # Emergency numbers and other short ones are not among "all".
    for region in SUPPORTED_SHORT_REGIONS:
        PhoneMetadata.short_metadata_for_region(region)
