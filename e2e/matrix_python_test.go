package e2e

// python is a line for a client of matrix/clients.py.
func python(name, pkg, function string, want outcome) client {
	return client{group: "Python", name: name, version: pkg, want: want, argv: script("/usr/bin/python3", "clients.py", function)}
}

// with changes a line of the matrix.
func (c client) with(change func(*client)) client {
	change(&c)
	return c
}

// because adds a note to a line of the matrix.
func (c client) because(note string) client {
	c.note = note
	return c
}

// trusting makes a client that --trust makes ok a line of the matrix.
func (c client) trusting(runtime string) client {
	c.trust = runtime
	return c
}

func onAWS(c *client) { c.logins, c.hosts, c.env = []string{"aws"}, awsHosts, awsRegion }

// pythonClients run on Debian's Python, with Debian's packages.
var pythonClients = []client{
	python("urllib", "/usr/bin/python3 --version", "urllib", ok),
	python("http.client", "/usr/bin/python3 --version", "http_client", bypass).because("knows no proxies").trusting("python"),
	python("requests", "deb:python3-requests", "requests", ok),
	python("requests with certifi's file", "deb:python3-certifi", "requests_certifi", safe).because("trusts only that file").trusting("python"),
	python("urllib3", "deb:python3-urllib3", "urllib3", bypass).because("only its `ProxyManager` uses a proxy").trusting("python"),
	python("httpx", "deb:python3-httpx", "httpx", ok),
	python("httpx, asynchronous", "deb:python3-httpx", "httpx_async", ok),
	python("aiohttp", "deb:python3-aiohttp", "aiohttp", bypass).because("`trust_env=True` makes it read the variables").trusting("python"),
	python("aiohttp with `trust_env=True`", "deb:python3-aiohttp", "aiohttp_env", ok),
	python("httplib2", "deb:python3-httplib2", "httplib2", ok),
	python("pycurl", "deb:python3-pycurl", "pycurl", safe).because("Debian's is built with GnuTLS and reads no variable for certificates"),
	python("tornado", "deb:python3-tornado", "tornado", bypass).because("its `curl_httpclient` has options for a proxy"),
	python("treq (Twisted)", "deb:python3-treq", "treq", bypass).because("knows no proxies"),
	python("websockets", "deb:python3-websockets", "websockets", bypass).because("versions before 15 know no proxies").trusting("python"),
	python("websocket-client", "deb:python3-websocket", "websocket_client", ok),
	python("grpcio", "deb:python3-grpcio", "grpc", ok),
	python("boto3, S3", "deb:python3-boto3", "boto3", ok).with(onAWS),
	python("PyGithub", "deb:python3-github", "github", ok).with(func(c *client) { c.logins, c.hosts = []string{"github-pat"}, []string{"api.github.com"} }),
}
