"""`error-visualization compact`."""

from exporter.commands.offline import add_path
from exporter.local import command

add_arguments = add_path
main = command.main
