# Requests https://HOST/NAME with each client, and prints NAME and the status, or the error.
# With --trust python, all of them reach the proxy; without it, none does. With "direct" for
# HOST, each request must go where the program sends it.
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


def httplib2_client(name):
    import httplib2

    return httplib2.Http(ca_certs=certifi()).request(url(name), headers=HEADERS)[0].status


def process_pool(name):
    import concurrent.futures, multiprocessing

    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(http_client, name).result()


def direct_loopback(name):
    import http.client

    http.client.HTTPSConnection("127.0.0.2", 9, timeout=20).request("GET", "/")


def direct_loopback_pool(name):
    import urllib3

    urllib3.PoolManager().request("GET", "https://localhost:9/", retries=False)


def direct_loopback_asyncio(name):
    asyncio.run(asyncio.open_connection("127.0.0.2", 9, ssl=True))


def direct_loopback_aiohttp(name):
    import aiohttp

    async def get():
        async with aiohttp.ClientSession() as s:
            await s.get("https://127.0.0.2:9/")

    asyncio.run(get())


def direct_excluded(name):
    import http.client

    http.client.HTTPSConnection("a.excluded.test", timeout=20).request("GET", "/")


def direct_excluded_asyncio(name):
    asyncio.run(asyncio.open_connection("a.excluded.test", 443, ssl=True))


# Nothing listens at a proxy that the program has chosen itself.
def direct_own_proxy(name):
    import requests

    requests.get("https://excluded.test/", proxies={"https": "http://127.0.0.1:9"})


def direct_own_proxy_pool(name):
    import urllib3

    urllib3.ProxyManager("http://127.0.0.1:9").request("GET", "https://other.test/", retries=False)


def direct_own_proxy_aiohttp(name):
    import aiohttp

    async def get():
        async with aiohttp.ClientSession() as s:
            await s.get("https://other.test/", proxy="http://127.0.0.1:9")

    asyncio.run(get())


def direct_unix_socket(name):
    import aiohttp

    async def get():
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector("/nonexistent")) as s:
            await s.get("https://other.test/")

    asyncio.run(get())


CLIENTS = (
    http_client, urllib3_pool, requests_certifi, requests_without_environment, httpx_certifi, aiohttp_default, aiohttp_connector,
    asyncio_streams, websockets_client, httplib2_client, process_pool,
)

DIRECT = [client for name, client in sorted(globals().items()) if name.startswith("direct_")]

if __name__ == "__main__":
    for client in DIRECT if HOST == "direct" else CLIENTS:
        try:
            print(client.__name__, client(client.__name__), flush=True)
        except Exception as e:
            print(client.__name__, "failed:", type(e).__name__, str(e)[:200], flush=True)
