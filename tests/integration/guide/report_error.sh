curl -X POST http://localhost:8080/api/report-error \
  -H "Content-Type: application/json" \
  -d '{
    "timestamp": "2025-03-15T12:34:56.789",
    "worker_id": "worker-1",
    "type": "ResourceError",
    "error_category": "RESOURCE_EXHAUSTED",
    "message": "Failed to allocate GPU memory",
    "system_context": {
      "hostname": "test-node-1",
      "metrics": {
        "cpu": {"percent": 75},
        "memory": {"used_percent": 80}
      }
    },
    "hardware_context": {
      "hardware_type": "cuda",
      "hardware_status": {
        "memory_pressure": true
      }
    }
  }'
