"""The server: an OpenAI-style HTTP API for videos and a studio in the browser, on one queue that outlives any crash.

    server process (FastAPI, no torch) -- studio.sqlite3, the queue and the API's object -- a worker process a device

The server answers requests and watches the workers; a worker claims one video after the other, and keeps its models.
"""
