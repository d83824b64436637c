"""Live updates over the WebSocket: which client gets which event, in order and once."""
