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

func onAWS(c *client) { c.logins, c.hosts, c.env = []string{"aws"}, awsHosts, awsRegion }

// pythonClients run on Debian's Python, with Debian's packages.
var pythonClients = []client{
	python("urllib", "/usr/bin/python3 --version", "urllib", ok),
	python("http.client", "/usr/bin/python3 --version", "http_client", bypass), // soon opt-in
	python("requests", "deb:python3-requests", "requests", ok),
	python("requests with certifi's file", "deb:python3-certifi", "requests_certifi", safe), // soon opt-in
	python("urllib3", "deb:python3-urllib3", "urllib3", bypass),                             // soon opt-in
	python("httpx", "deb:python3-httpx", "httpx", ok),
	python("httpx, asynchronous", "deb:python3-httpx", "httpx_async", ok),
	python("aiohttp", "deb:python3-aiohttp", "aiohttp", bypass), // soon opt-in
	python("aiohttp with `trust_env=True`", "deb:python3-aiohttp", "aiohttp_env", ok),
	python("httplib2", "deb:python3-httplib2", "httplib2", ok),
	python("pycurl", "deb:python3-pycurl", "pycurl", safe),
	python("tornado", "deb:python3-tornado", "tornado", bypass),
	python("treq (Twisted)", "deb:python3-treq", "treq", bypass),
	python("websockets", "deb:python3-websockets", "websockets", bypass), // soon opt-in
	python("websocket-client", "deb:python3-websocket", "websocket_client", ok),
	python("grpcio", "deb:python3-grpcio", "grpc", ok),
	python("boto3, S3", "deb:python3-boto3", "boto3", ok).with(onAWS),
	python("PyGithub", "deb:python3-github", "github", ok).with(func(c *client) { c.logins, c.hosts = []string{"github-pat"}, []string{"api.github.com"} }),
}
