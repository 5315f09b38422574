# Changes Python's clients so that they use the proxy of HTTPS_PROXY, with a CONNECT, and
# trust the run's authority. They follow NO_PROXY, and keep a proxy that the program has
# chosen itself. Plain http and unix sockets stay as they are.
import os
import sys

AUTHORITY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "authority.pem")
MAX_ANSWER = 1 << 16


class Proxy:
    """Proxy is the proxy for one host, as the environment has it now."""

    def __init__(self, url):
        from urllib.parse import unquote, urlsplit

        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("not an http:// proxy")
        self.url, self.host, self.port = url, parts.hostname, parts.port or 80
        self.authorization = ""
        if parts.username is not None:
            from base64 import b64encode

            user = unquote(parts.username) + ":" + unquote(parts.password or "")
            self.authorization = "Proxy-Authorization: Basic " + b64encode(user.encode()).decode() + "\r\n"

    def request(self, host, port):
        if isinstance(host, bytes):
            host = host.decode("ascii")
        if ":" not in host and not host.isascii():
            host = host.encode("idna").decode("ascii")
        if set(host) & set("\r\n /@"):
            raise ValueError("invalid host")
        authority = ("[%s]:%d" if ":" in host else "%s:%d") % (host.strip("[]"), port)
        return ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (authority, authority, self.authorization)).encode("ascii")


def proxy_for(host, port=443):
    """Returns the proxy for a host, or None if the host is reached directly."""
    url = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if not url or not host or not port:
        return None
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    try:
        if excluded(host.strip("[]").rstrip(".").lower(), int(port), os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""):
            return None
        return Proxy(url)
    except ValueError:
        return None


def excluded(host, port, entries):
    """Reports whether NO_PROXY excludes a host. Loopback is always excluded."""
    address = None
    if ":" in host or host.replace(".", "").isdigit():
        import ipaddress

        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            pass
    if host == "localhost" or host.endswith(".localhost") or address is not None and (address.is_loopback or address.is_unspecified):
        return True
    for entry in entries.replace(",", " ").lower().split():
        if entry == "*":
            return True
        if address is not None:
            try:
                if address in ipaddress.ip_network(entry.strip("[]"), strict=False):
                    return True
            except ValueError:
                pass
        name, colon, number = entry.rpartition(":")
        if colon and number.isdigit() and ":" not in name:
            if int(number) != port:
                continue
            entry = name
        entry = entry.lstrip("*").strip(".")
        if entry and (host == entry or host.endswith("." + entry)):
            return True
    return False


def check(answer):
    """Raises OSError unless the proxy's answer is a success."""
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or words[1][:1] != "2":
        raise OSError("Tunnel connection failed: " + " ".join(words[1:]))


def read_answer(recv):
    """Reads the head of the proxy's answer, and no byte of the tunnel."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = recv(1)
        if not byte or len(answer) >= MAX_ANSWER:
            raise OSError("Tunnel connection failed: the proxy ended the connection")
        answer += byte
    check(answer)


def through(sock, proxy, host, port):
    """Makes a connection to the proxy a tunnel, and returns it."""
    try:
        sock.sendall(proxy.request(host, port))
        read_answer(sock.recv)
    except BaseException:
        sock.close()
        raise
    return sock


def change_ssl(ssl):
    # A program that loads its roots from a file, such as certifi's, trusts the authority
    # too. What a server accepts from its clients stays as it is.
    original = ssl.SSLContext.load_verify_locations

    def load_verify_locations(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        if self.protocol != ssl.PROTOCOL_TLS_SERVER:
            try:
                original(self, cafile=AUTHORITY)
            except (OSError, ssl.SSLError):
                pass
        return result

    ssl.SSLContext.load_verify_locations = load_verify_locations


def change_http_client(client):
    import socket

    original = client.HTTPSConnection.connect

    def connect(self):
        create = getattr(self, "_create_connection", None)
        proxy = None
        if not self._tunnel_host and create is socket.create_connection:
            proxy = proxy_for(self.host, self.port)
        if proxy is None:
            return original(self)

        def tunnel(address, *args, **kwargs):
            return through(create((proxy.host, proxy.port), *args, **kwargs), proxy, *address)

        self._create_connection = tunnel
        try:
            return original(self)
        finally:
            self._create_connection = create

    client.HTTPSConnection.connect = connect


def change_urllib3_connection(connection):
    original = connection.HTTPSConnection._new_conn

    def _new_conn(self):
        proxy, host, port = None, getattr(self, "_dns_host", None), self.port
        if not getattr(self, "_tunnel_host", None) and not getattr(self, "proxy", None):
            proxy = proxy_for(host, port)
        if proxy is None:
            return original(self)
        self._dns_host, self.port = proxy.host, proxy.port
        try:
            sock = original(self)
        finally:
            self._dns_host, self.port = host, port
        return through(sock, proxy, host, port)

    connection.HTTPSConnection._new_conn = _new_conn


def change_create_connection(loop_class):
    original = loop_class.create_connection

    async def create_connection(self, protocol_factory, host=None, port=None, **kwargs):
        proxy = None
        if kwargs.get("ssl") and kwargs.get("sock") is None and host is not None:
            proxy = proxy_for(host, port) if isinstance(port, int) else None
        if proxy is None:
            return await original(self, protocol_factory, host, port, **kwargs)
        for about_direct in ("family", "proto", "flags", "local_addr", "happy_eyeballs_delay", "interleave", "all_errors"):
            kwargs.pop(about_direct, None)
        if kwargs.get("server_hostname") is None:
            kwargs["server_hostname"] = host
        kwargs["sock"] = await async_tunnel(self, proxy, host, port)
        try:
            return await original(self, protocol_factory, **kwargs)
        except BaseException:
            kwargs["sock"].close()
            raise

    loop_class.create_connection = create_connection


async def async_tunnel(loop, proxy, host, port):
    import socket

    family, kind, proto, _, address = (await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM))[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, proxy.request(host, port))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = await loop.sock_recv(sock, 1)
            if not byte or len(answer) >= MAX_ANSWER:
                raise OSError("Tunnel connection failed: the proxy ended the connection")
            answer += byte
        check(answer)
    except BaseException:
        sock.close()
        raise
    return sock


def change_aiohttp_client(client):
    # aiohttp follows the environment only with trust_env, which also makes it read
    # ~/.netrc. So each request names the proxy.
    from yarl import URL

    original = client.ClientSession._request

    def chosen(session, url, kwargs):
        base = getattr(session, "_base_url", None)
        url = base.join(URL(url)) if base is not None else URL(url)
        connector = session.connector
        own = ("connect", "_create_connection", "_wrap_create_connection")
        if session.trust_env or kwargs.get("proxy") is not None or getattr(session, "_default_proxy", None) is not None:
            return None
        if url.scheme not in ("https", "wss") or not isinstance(connector, client.TCPConnector):
            return None
        if any(getattr(type(connector), name, None) is not getattr(client.TCPConnector, name, None) for name in own):
            return None  # it has a proxy of its program
        return proxy_for(url.raw_host, url.port)

    async def _request(self, method, str_or_url, **kwargs):
        try:
            proxy = chosen(self, str_or_url, kwargs)
        except Exception:
            proxy = None  # aiohttp says what is wrong
        if proxy is not None:
            kwargs["proxy"] = proxy.url
        return await original(self, method, str_or_url, **kwargs)

    client.ClientSession._request = _request


def change_websockets(client):
    # Version 15 follows the environment itself.
    import inspect
    import socket

    original = client.connect
    if "proxy" in inspect.signature(original).parameters:
        return

    def connect(uri, **kwargs):
        from websockets.uri import parse_uri

        target = parse_uri(uri)
        proxy = None
        if target.secure and kwargs.get("sock") is None and not kwargs.get("unix"):
            proxy = proxy_for(target.host, target.port)
        if proxy is not None:
            timeout = kwargs.get("open_timeout", 10)
            sock = socket.create_connection((proxy.host, proxy.port), timeout)
            kwargs["sock"] = through(sock, proxy, target.host, target.port)
            sock.settimeout(None)
            kwargs.setdefault("server_hostname", target.host)
        return original(uri, **kwargs)

    connect.__doc__ = original.__doc__
    client.connect = connect


def change_httplib2(httplib2):
    # It follows the environment, but fails if the proxy has a password, because it joins
    # bytes and texts.
    socket_class = httplib2.socks.socksocket
    if socket_class.__module__ == "httplib2.socks":
        name = "_socksocket__getauthheader"

        def header(self):
            from base64 import b64encode

            parts = (p if isinstance(p, bytes) else p.encode() for p in self._socksocket__proxy[4:6])
            return "Proxy-Authorization: Basic " + b64encode(b":".join(parts)).decode()

        if hasattr(socket_class, name):
            setattr(socket_class, name, header)


CHANGES = {
    "ssl": change_ssl,
    "http.client": change_http_client,
    "urllib3.connection": change_urllib3_connection,
    "asyncio.base_events": lambda module: change_create_connection(module.BaseEventLoop),
    "uvloop": lambda module: change_create_connection(module.Loop),
    "aiohttp.client": change_aiohttp_client,
    "websockets.sync.client": change_websockets,
    "httplib2": change_httplib2,
}


def change(module):
    CHANGES[module.__name__](module)
