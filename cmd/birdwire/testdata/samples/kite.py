import asyncio
import websockets
import json

async def listen():
    async with websockets.connect('wss://kite-api.gtdigital.dev/api/ws?key=kite_your_key_here') as ws:
        # Subscribe to crypto news
        await ws.send(json.dumps({
            'type': 'subscribe',
            'filters': {
                'categories': ['financial_news'],
                'keywords': ['Bitcoin', 'Ethereum', 'crypto'],
                'sources': ['CoinDesk', 'CoinTelegraph', 'Decrypt']
            }
        }))

        async for message in ws:
            data = json.loads(message)

            if data['type'] == 'news':
                item = data['item']
                print(f"[{data['action']}] {item['title']}")
                print(f"  Source: {item['source']}")
                if item.get('tickers'):
                    print(f"  Tickers: {', '.join(item['tickers'])}")
                print()

asyncio.run(listen())
