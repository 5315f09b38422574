# Requests https://HOST/NAME with each client, and prints NAME and the status, or the error.
# With --trust python, all of them reach the proxy; without it, none does.
import asyncio, base64, os, ssl, sys

HOST = sys.argv[1]
HEADERS = {"Authorization": "Bearer " + os.environ.get("UPSTREAM_API_KEY", "")}


def url(name, scheme="https"):
    return "%s://%s/%s" % (scheme, HOST, name)


def http_client(name):
    import http.client

    c = http.client.HTTPSConnection(HOST, timeout=20)
    statuses = set()
    for _ in range(2):  # the second on a new connection
        c.request("GET", "/" + name, headers=HEADERS)
        r = c.getresponse()
        r.read()
        statuses.add(r.status)
        c.close()
    return statuses.pop() if len(statuses) == 1 else statuses


def urllib3_pool(name):
    import urllib3

    return urllib3.PoolManager(ca_certs=certifi()).request("GET", url(name), headers=HEADERS, retries=False).status


def certifi():
    # Debian's certifi has the system's roots; this file is what certifi is elsewhere.
    return os.environ["PINNED_ROOTS"]


def requests_certifi(name):
    import requests

    return requests.get(url(name), headers=HEADERS, verify=certifi()).status_code


def requests_without_environment(name):
    import requests

    with requests.Session() as s:
        s.trust_env = False
        s.verify = certifi()
        return s.get(url(name), headers=HEADERS).status_code


def httpx_certifi(name):
    import httpx

    return httpx.get(url(name), headers=HEADERS, verify=ssl.create_default_context(cafile=certifi())).status_code


def aiohttp_default(name):
    import aiohttp

    async def get():
        async with aiohttp.ClientSession(headers=HEADERS) as s:
            async with s.get(url(name)) as r:
                return r.status

    return asyncio.run(get())


def aiohttp_connector(name):
    import aiohttp

    async def get():
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=certifi()))
        async with aiohttp.ClientSession("https://" + HOST, connector=connector, trust_env=False) as s:
            async with s.get("/" + name, headers=HEADERS) as r:
                return r.status

    return asyncio.run(get())


def asyncio_streams(name):
    async def get():
        r, w = await asyncio.open_connection(HOST, 443, ssl=ssl.create_default_context())
        lines = ["GET /%s HTTP/1.1" % name, "Host: " + HOST, "Connection: close"] + ["%s: %s" % h for h in HEADERS.items()]
        w.write("\r\n".join(lines + ["", ""]).encode())
        status = int((await r.readline()).split()[1])
        await r.read()
        w.close()
        return status

    return asyncio.run(get())


def websockets_client(name):
    import websockets

    async def talk():
        async with websockets.connect(url("socket", "wss"), extra_headers=HEADERS) as c:
            await c.send("hello")
            return 200 if await c.recv() == "hello" else 0

    return asyncio.run(talk())


def process_pool(name):
    import concurrent.futures, multiprocessing

    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(http_client, name).result()


CLIENTS = (http_client, urllib3_pool, requests_certifi, requests_without_environment, httpx_certifi, aiohttp_default, aiohttp_connector, asyncio_streams, websockets_client, process_pool)

if __name__ == "__main__":
    for client in CLIENTS:
        if len(sys.argv) > 2 and client.__name__ not in sys.argv[2:]:
            continue
        try:
            print(client.__name__, client(client.__name__), flush=True)
        except Exception as e:
            print(client.__name__, "failed:", type(e).__name__, str(e)[:200], flush=True)
