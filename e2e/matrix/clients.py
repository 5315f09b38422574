"""One request by each HTTP client for Python. The name of the client is the argument."""
import asyncio, os, sys

URL = "https://api.upstream.test/x"


def urllib():
    import urllib.request
    print(urllib.request.urlopen(URL).read().decode())


def http_client():
    import http.client
    c = http.client.HTTPSConnection("api.upstream.test", timeout=10)
    c.request("GET", "/x")
    print(c.getresponse().read().decode())


def requests():
    import requests
    print(requests.get(URL, timeout=10).text)


def requests_certifi():
    import certifi, requests
    print(requests.get(URL, timeout=10, verify=certifi.where()).text)


def urllib3():
    import urllib3
    print(urllib3.PoolManager(retries=False, timeout=10).request("GET", URL).data.decode())


def httpx():
    import httpx
    print(httpx.get(URL).text)


def httpx_async():
    import httpx

    async def get():
        async with httpx.AsyncClient() as client:
            print((await client.get(URL)).text)
    asyncio.run(get())


def aiohttp(**options):
    import aiohttp

    async def get():
        async with aiohttp.ClientSession(**options) as session:
            async with session.get(URL) as response:
                print(await response.text())
    asyncio.run(get())


def aiohttp_env():
    aiohttp(trust_env=True)


def httplib2():
    import httplib2
    print(httplib2.Http(timeout=10).request(URL)[1].decode())


def pycurl():
    import pycurl
    c = pycurl.Curl()
    c.setopt(c.URL, URL)
    c.perform()


def tornado():
    from tornado.httpclient import AsyncHTTPClient

    async def get():
        print((await AsyncHTTPClient().fetch(URL)).body.decode())
    asyncio.run(get())


def treq():
    import treq
    from twisted.internet import defer, task

    async def get():
        print(await treq.text_content(await treq.get(URL)))
    task.react(lambda reactor: defer.ensureDeferred(get()))


def websockets():
    import websockets

    async def echo():
        async with websockets.connect("wss://api.upstream.test/socket") as socket:
            await socket.send("hello from the socket")
            print(await socket.recv())
    asyncio.run(echo())


def websocket_client():
    import websocket
    socket = websocket.create_connection("wss://api.upstream.test/socket", timeout=10)
    socket.send("hello from the socket")
    print(socket.recv())


def grpc():
    import grpc
    channel = grpc.secure_channel("api.upstream.test:443", grpc.ssl_channel_credentials())
    text = b"hello from gRPC"
    call = channel.unary_unary("/e2e.Echo/Unary", lambda m: m, lambda m: m)
    print(call(b"\x0a" + bytes([len(text)]) + text, timeout=10))


def boto3():
    import boto3
    print([b["Name"].replace("-", " ") for b in boto3.client("s3").list_buckets()["Buckets"]])


def github():
    import github
    print(github.Github(os.environ["GITHUB_TOKEN"]).get_user().login)


globals()[sys.argv[1]]()
