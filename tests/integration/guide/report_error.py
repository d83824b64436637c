import aiohttp
import json
from datetime import datetime

async def report_error(dashboard_url, error_data):
    """Report an error to the Error Visualization Dashboard.
    
    Args:
        dashboard_url: URL of the dashboard API (e.g., "http://localhost:8080")
        error_data: Error data dictionary
        
    Returns:
        True if error was successfully reported, False otherwise
    """
    try:
        async with aiohttp.ClientSession() as session:
            async with session.post(
                f"{dashboard_url}/api/report-error",
                json=error_data,
                headers={'Content-Type': 'application/json'}
            ) as response:
                result = await response.json()
                if response.status == 200 and result.get('status') == 'success':
                    print(f"Error reported successfully: {error_data.get('type')} - {error_data.get('message')}")
                    return True
                else:
                    print(f"Failed to report error: {response.status} - {result}")
                    return False
    except Exception as e:
        print(f"Exception while reporting error: {e}")
        return False

# Example usage:
error_data = {
    "timestamp": datetime.now().isoformat(),
    "worker_id": "worker-1",
    "type": "ResourceError",
    "error_category": "RESOURCE_EXHAUSTED",
    "message": "Failed to allocate GPU memory",
    "traceback": "Optional traceback string",
    "system_context": {
        "hostname": "test-node-1",
        "platform": "linux",
        "architecture": "x86_64",
        "python_version": "3.10.2",
        "metrics": {
            "cpu": {
                "percent": 75,
                "count": 16,
                "physical_count": 8,
                "frequency_mhz": 3200
            },
            "memory": {
                "used_percent": 80,
                "total_gb": 32,
                "available_gb": 6.4
            },
            "disk": {
                "used_percent": 65,
                "total_gb": 512,
                "free_gb": 179
            }
        },
        "gpu_metrics": {
            "count": 2,
            "devices": [
                {
                    "index": 0,
                    "name": "NVIDIA RTX 4090",
                    "memory_utilization": 85,
                    "temperature": 78
                },
                {
                    "index": 1,
                    "name": "NVIDIA RTX 4090",
                    "memory_utilization": 82,
                    "temperature": 75
                }
            ]
        }
    },
    "hardware_context": {
        "hardware_type": "cuda",
        "hardware_types": ["cuda", "cpu"],
        "hardware_status": {
            "overheating": False,
            "memory_pressure": True,
            "throttling": False
        }
    },
    "error_frequency": {
        "recurring": True,
        "same_type": {
            "last_1h": 3,
            "last_6h": 12,
            "last_24h": 25
        },
        "similar_message": {
            "last_1h": 2,
            "last_6h": 7,
            "last_24h": 15
        }
    }
}

await report_error("http://localhost:8080", error_data)
