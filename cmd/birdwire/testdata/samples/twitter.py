import asyncio
import json
import websockets

async def stream():
    # Replace with your actual domain (wss:// for production, ws:// for local dev)
    uri = "ws://localhost:8000/v1/twitter/stream?api_key=YOUR_API_KEY"
    async with websockets.connect(uri) as ws:
        async for message in ws:
            data = json.loads(message)
            if data["type"] == "new_tweet":
                print(f"@{data['author_username']}: {data['tweet_text']}")

asyncio.run(stream())
