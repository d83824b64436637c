"""The commands `export` and `import`: errors to files and from files, through the API of a running service."""
