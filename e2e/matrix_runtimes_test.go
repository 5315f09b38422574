package e2e

import "path/filepath"

func packaged(path string) string { return filepath.Join(testScripts, "node_modules", path) }

// bun, deno and pnpm are the programs in their npm packages.
var (
	pnpm = packaged("@pnpm/exe.linux-x64/pnpm")
	bun  = packaged("@oven/bun-linux-x64/bin/bun")
	deno = packaged("@deno/linux-x64-glibc/deno")
)

func onBun(name, version, function string, want outcome) client {
	return client{group: "Bun and Deno", name: name, runtime: "Bun", version: version, want: want, argv: script(bun, "clients.mjs", function)}
}

func onDeno(name, version, function string, want outcome) client {
	c := onBun(name, version, function, want)
	c.runtime, c.argv = "Deno", append([]string{deno, "run", "-A", "--node-modules-dir=manual"}, c.argv[1:]...)
	return c
}

// browser is a client of matrix/clients.mjs that starts Debian's Chromium.
func browser(name, version, function string, want outcome) client {
	return client{group: "Browsers", name: name, version: version, want: want, argv: script(nodeProgram("node24"), "clients.mjs", function)}
}

const erlangClient = `inets:start(), ssl:start(), case httpc:request(get, {"` + routeURL + `", []}, [{timeout, 10000}], []) of {ok, {_, _, B}} -> io:format("~s~n", [B]), halt(0); E -> io:format("~p~n", [E]), halt(1) end.`

// runtimeClients run on languages with few clients, and in browsers.
var runtimeClients = []client{
	onBun("fetch", "", "fetch", ok),
	onDeno("fetch", "", "fetch", ok),
	onBun("https", "", "https", ok),
	onDeno("https", "", "https", ok),
	onBun("WebSocket", "", "WebSocket", ok),
	onDeno("WebSocket", "", "WebSocket", ok),
	onBun("tls.connect", "", "tls", ok),
	onDeno("tls.connect", "", "tls", ok),
	onBun("ws", "npm:ws", "ws", bypass).because("Bun's own, which connects in native code; `WebSocket` works"),
	onDeno("ws", "npm:ws", "ws", ok),
	onBun("axios", "npm:axios", "axios", ok),
	onDeno("axios", "npm:axios", "axios", ok),
	onBun("OpenAI's SDK", "npm:openai", "openai", ok).with(onOpenAI),
	onDeno("OpenAI's SDK", "npm:openai", "openai", ok).with(onOpenAI),

	{group: "Ruby", name: "net/http", version: "ruby --version", want: ok, argv: []string{"ruby", "-rnet/http", "-e", "puts Net::HTTP.get(URI('" + routeURL + "'))"}},
	{group: "Ruby", name: "open-uri", version: "ruby --version", want: ok, argv: []string{"ruby", "-ropen-uri", "-e", "puts URI.open('" + routeURL + "').read"}},
	{group: "Ruby", name: "Faraday", version: "deb:ruby-faraday", want: ok, argv: []string{"ruby", "-rfaraday", "-e", "puts Faraday.get('" + routeURL + "').body"}},
	{group: "Ruby", name: "HTTParty", version: "deb:ruby-httparty", want: ok, argv: []string{"ruby", "-rhttparty", "-e", "puts HTTParty.get('" + routeURL + "').body"}},
	{group: "Ruby", name: "rest-client", version: "deb:ruby-rest-client", want: ok, argv: []string{"ruby", "-rrest-client", "-e", "puts RestClient.get('" + routeURL + "').body"}},
	client{group: "Ruby", name: "Octokit", version: "deb:ruby-octokit", want: ok, argv: []string{"ruby", "-roctokit", "-e", "puts Octokit::Client.new(access_token: ENV['GITHUB_TOKEN']).user.login"}}.with(onGitHub),

	{group: "Perl", name: "LWP", version: "deb:libwww-perl", want: ok, argv: []string{"perl", "-MLWP::UserAgent", "-e", "print LWP::UserAgent->new->get('" + routeURL + "')->decoded_content"}},
	{group: "Perl", name: "HTTP::Tiny", version: "perl --version", want: ok, argv: []string{"perl", "-MHTTP::Tiny", "-e", "my $r = HTTP::Tiny->new(verify_SSL => 1)->get('" + routeURL + "'); print $r->{content}; exit !$r->{success}"}},
	{group: "Perl", name: "Mojo::UserAgent", version: "deb:libmojolicious-perl", want: ok, argv: []string{"perl", "-MMojo::UserAgent", "-e", "print Mojo::UserAgent->new->get('" + routeURL + "')->result->body"}},

	{group: "PHP", name: "curl", version: "php --version", want: safe, trust: "php", argv: []string{"php", "-r", "$c = curl_init('" + routeURL + "'); exit(curl_exec($c) ? 0 : 1);"}},
	{group: "PHP", name: "streams", version: "php --version", want: bypass, trust: "php", note: "read no variables; `php -r` does not load what `--trust` adds", argv: []string{"php", "streams.php"}, files: map[string]string{"streams.php": "<?php $s = file_get_contents('" + routeURL + "'); echo $s; exit($s ? 0 : 1);"}},
	{group: "PHP", name: "Guzzle", version: "deb:php-guzzlehttp-guzzle", want: safe, trust: "php", argv: []string{"php", "-r", "require 'GuzzleHttp/autoload.php'; echo (new GuzzleHttp\\Client)->get('" + routeURL + "')->getBody();"}},

	{group: "Java", name: "HttpClient", version: "java --version", want: bypass, trust: "java", argv: []string{"java", "Client.java"}, files: map[string]string{"Client.java": `import java.net.*; import java.net.http.*;
class Client { public static void main(String[] a) throws Exception {
  System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("` + routeURL + `")).build(), HttpResponse.BodyHandlers.ofString()).body()); } }`}},
	{group: "Java", name: "HttpURLConnection", version: "java --version", want: bypass, trust: "java", argv: []string{"java", "Client.java"}, files: map[string]string{"Client.java": `import java.net.*;
class Client { public static void main(String[] a) throws Exception {
  System.out.println(new String(new URL("` + routeURL + `").openConnection().getInputStream().readAllBytes())); } }`}},

	{group: "Other languages", name: "Erlang httpc", version: "deb:erlang-inets", want: bypass, note: "reads no variables", argv: []string{"erl", "-noshell", "-eval", erlangClient}},
	{group: "Other languages", name: "Lua-cURL", version: "deb:lua-curl", want: safe, note: "reads no variable for certificates", argv: []string{"lua", "-e", "require('cURL').easy{url='" + routeURL + "'}:perform()"}},
	{group: "Other languages", name: "LuaSec", version: "deb:lua-sec", want: bypass, note: "reads no variables", argv: []string{"lua", "-e", "local b, c = require('ssl.https').request('" + routeURL + "'); print(b, c); os.exit(c == 200)"}},

	browser("Chromium, headless", "chromium --version", "", safe).because("does not trust the certificates").with(func(c *client) {
		c.argv = []string{"chromium", "--headless", "--no-sandbox", "--virtual-time-budget=5000", "--dump-dom", routeURL}
	}).trusting("chromium"),
	browser("Playwright, a page", "npm:playwright-core", "chromium-playwright", safe).trusting("chromium"),
	browser("Playwright, its request API", "npm:playwright-core", "playwright-request", ok),
	browser("Puppeteer", "npm:puppeteer-core", "chromium-puppeteer", safe).trusting("chromium"),
}
