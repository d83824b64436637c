"""The command `junit`: sends JUnit XML files to a service."""
