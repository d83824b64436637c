"""Commands that work on the files of a service on this machine: `backup`, `restore` and `compact`."""
