"""Live updates over the WebSocket: each client receives each event once, in order."""
