"""FreeSWITCH: ESL to place, follow and speak on calls, over one connection."""
