import anyio
import websockets
import json

async def monitor_errors():
    uri = "ws://localhost:8080/ws/error-visualization"
    
    async with websockets.connect(uri) as websocket:
        # Subscribe to error visualization updates
        await websocket.send(json.dumps({
            "type": "error_visualization_init",
            "time_range": 24
        }))
        
        # Subscribe to general error topic
        await websocket.send(json.dumps({
            "type": "subscribe",
            "topic": "error_visualization"
        }))
        
        # Process incoming messages
        while True:
            message = await websocket.recv()
            data = json.loads(message)
            
            if data.get("type") == "error_visualization_update":
                error = data.get("data", {}).get("error")
                if error:
                    print(f"New error: {error.get('type')} - {error.get('message')}")

# Run the WebSocket client
anyio.run(monitor_errors)
