"""Loads at the start what libraries would otherwise load during a request.

If the file could not be opened then (no descriptor is left, or the installation was replaced meanwhile), the
request would fail; phonenumbers (9.0, `PhoneMetadata.metadata_for_region`) also keeps its lock when loading
fails, so that the next request for a region that is not loaded waits for ever.
"""

from phonenumbers.phonemetadata import PhoneMetadata
from phonenumbers.shortnumberinfo import SUPPORTED_SHORT_REGIONS


def preload() -> None:
    """Load all metadata of telephone numbers. Blocks for a quarter of a second the first time."""
    PhoneMetadata.load_all()
    # Emergency numbers and other short ones are not among "all".
    for region in SUPPORTED_SHORT_REGIONS:
        PhoneMetadata.short_metadata_for_region(region)
