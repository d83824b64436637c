curl -X GET "http://localhost:8080/api/errors?time_range=24"
